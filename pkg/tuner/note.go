package tuner

import (
	"context"
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Note changes what is remarked about an experiment or a trial; nil leaves a part as it is. Tags replaces all tags;
// Add and Remove change those that there are then, so that of several who do so at a time none undoes what another did.
type Note struct {
	Text        *string
	Tags        *[]string
	Add, Remove []string
}

// apply returns a note as it is changed. Where tags are added or removed they are in the order of their text.
func (n *Note) apply(to experiment.Note) experiment.Note {
	if n.Text != nil {
		to.Text = *n.Text
	}
	if n.Tags != nil {
		to.Tags = slices.Clone(*n.Tags)
	}
	if len(n.Add)+len(n.Remove) > 0 {
		to.Tags = slices.DeleteFunc(slices.Concat(to.Tags, n.Add), func(tag string) bool { return slices.Contains(n.Remove, tag) })
		slices.Sort(to.Tags)
		to.Tags = slices.Compact(to.Tags)
	}
	return to
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
		next := n.apply(note)
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
