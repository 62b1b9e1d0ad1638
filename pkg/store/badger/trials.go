package badger

import (
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// decodeBatch is how many trials are decoded at a time.
const decodeBatch = 1000

// trialDecoder decodes the trials of an experiment on all processors, which is most of the work of reading a
// large one.
type trialDecoder struct {
	out     []experiment.Trial
	begun   uint64 // number of the first trial of the batch, less one
	batch   []byte // its payloads, one after the other
	ends    []int  // where each ends
	workers errgroup.Group
}

// expect makes room for so many trials, and some that the caller may add.
func (d *trialDecoder) expect(trials uint64) {
	d.out = make([]experiment.Trial, trials, trials+trials/32+1)
	d.workers.SetLimit(runtime.NumCPU())
}

// add takes the payload of the next trial.
func (d *trialDecoder) add(payload []byte) error {
	if d.begun+uint64(len(d.ends)) == uint64(len(d.out)) {
		return nil // one too many, which is found out by their number
	}
	d.batch = append(d.batch, payload...)
	d.ends = append(d.ends, len(d.batch))
	if len(d.ends) == decodeBatch {
		d.decode()
	}
	return nil
}

// decode has the batch decoded, and begins the next one.
func (d *trialDecoder) decode() {
	batch, ends, out := d.batch, d.ends, d.out[d.begun:]
	first := d.begun + 1
	d.workers.Go(func() error {
		var reader trialReader
		begin := 0
		for i, end := range ends {
			if err := decodeTrial(batch[begin:end], &out[i], &reader); err != nil {
				return fmt.Errorf("trials: number %d: %w: %w", first+uint64(i), err, store.ErrCorrupt)
			}
			begin = end
		}
		return nil
	})
	d.begun += uint64(len(d.ends))
	d.batch, d.ends = make([]byte, 0, cap(batch)), nil
}

// finish waits until all are decoded.
func (d *trialDecoder) finish() error {
	d.decode()
	return d.workers.Wait()
}
