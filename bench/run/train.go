package run

import (
	"fmt"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// Trainer is an optimizer of trials that are trained epoch by epoch, of which it stops or pauses those that promise little.
// It is used like an Optimizer: one study at a time, not concurrently.
type Trainer interface {
	// Start begins a study of a problem that has a Curve. The error wraps ErrUnsupported when the trainer cannot work on it.
	Start(t Task) error
	// Next says what a free worker is to train, under a new id. ErrExhausted and ErrWait of package algorithms mean
	// what they mean there.
	Next(id uint64) (Training, error)
	// Report tells the loss after an epoch of a training that goes on, and whether it goes on still.
	Report(id uint64, epoch int, loss float64) (goesOn bool, err error)
	// End ends the study.
	End() error
	// Close ends the trainer.
	Close() error
}

// Training is what one worker does without being asked anew.
type Training struct {
	Point searchspace.Point // a configuration
	Until int               // the epoch after which it ends
	From  uint64            // the training whose checkpoint it goes on from; 0 for none
}

// trainingPeer is a peer with trials that are trained epoch by epoch.
type trainingPeer struct {
	*peer
	epochs int
}

func (p *trainingPeer) Start(t Task) error {
	p.epochs = t.Problem.Curve.Epochs
	return p.start(t, p.epochs)
}

func (p *trainingPeer) Next(id uint64) (Training, error) {
	point, _, err := p.Ask(id)
	return Training{Point: point, Until: p.epochs}, err
}

func (p *trainingPeer) Report(id uint64, epoch int, loss float64) (goesOn bool, err error) {
	a, err := p.call(map[string]any{"op": "report", "id": id, "epoch": epoch, "loss": loss})
	if err != nil {
		return false, fmt.Errorf("report: %w", err)
	}
	return !a.Stop, nil
}
