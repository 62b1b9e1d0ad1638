package tuner

import (
	"context"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Record adds an event to an experiment, which may have ended, on behalf of those who do something else for it, such as
// telling others of it.
func (t *Tuner) Record(ctx context.Context, key experiment.Key, reason, message string, warning bool) error {
	return t.amend(ctx, key, func(d *draft) error {
		d.event("", reason, message, warning)
		return nil
	})
}
