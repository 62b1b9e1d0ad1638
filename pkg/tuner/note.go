package tuner

import (
	"context"
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Note changes what is remarked about an experiment or a trial; nil leaves a part as it is.
type Note struct {
	Text *string
	Tags *[]string
}

// Annotate remarks something about a trial, by name or number, or about the experiment where trial is
// "". Both may have ended. store.ErrInvalid: it is more than 64 KiB of text, or 64 tags of 64 bytes.
func (t *Tuner) Annotate(ctx context.Context, key experiment.Key, trial string, n Note) error {
	err := t.amend(ctx, key, func(d *draft) error {
		failpoint.Hit("tuner.note")
		note, number := d.e.Note, uint64(0)
		if trial != "" {
			found, err := d.find(trial)
			if err != nil {
				return err
			}
			note, number = found.Note, found.Number
		}
		next := note
		if n.Text != nil {
			next.Text = *n.Text
		}
		if n.Tags != nil {
			next.Tags = slices.Clone(*n.Tags)
		}
		if err := next.Check(); err != nil {
			return fmt.Errorf("annotate %s: %w: %w", key, err, store.ErrInvalid)
		}
		if equal(note, next) {
			return nil
		}
		if number == 0 {
			d.e.Note = next
		} else {
			d.own(number).Note = next
		}
		d.notes = map[uint64]experiment.Note{number: next}
		return nil
	})
	failpoint.Hit("tuner.noted")
	return err
}
