package tuner

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// Outlook is what further trials of an experiment are expected to improve, and what they would cost.
type Outlook struct {
	Trials      int           // that are looked ahead
	Metric      string        // of spec.objective
	Improvement float64       // of the best value of the metric, by all of them; at least 0
	Share       float64       // that this is of the interquartile range of the metric's values so far
	Took        time.Duration // one trial, on average; 0 when none has run
}

// NewOutlook returns what the algorithm of an experiment expects of further trials. ErrInvalid: it cannot say, or there
// is too little to say it by.
func NewOutlook(e *experiment.Experiment, trials []experiment.Trial, registry *algorithms.Registry) (Outlook, error) {
	def, problem, values, err := chosen(e, registry)
	if err != nil {
		return Outlook{}, err
	}
	if def.Remaining == nil {
		return Outlook{}, fmt.Errorf("algorithm %s does not say what remains: %w", def.Name, store.ErrInvalid)
	}
	ended := finishedSince(each(trials), 0)
	finished, err := convertAll(ended, &e.Spec, problem)
	if err != nil {
		return Outlook{}, err
	}
	var t experiment.Termination // its defaults
	if e.Spec.Tuned != nil && e.Spec.Tuned.Termination != nil {
		t = *e.Spec.Tuned.Termination
	}
	if len(ended) < t.Least() {
		return Outlook{}, fmt.Errorf("%d trials have ended, it takes %d: %w", len(ended), t.Least(), store.ErrInvalid)
	}
	r, err := remaining(def, problem, values, finished, t.Ahead())
	if err != nil {
		return Outlook{}, fmt.Errorf("%w: %w", err, store.ErrInvalid)
	}
	return newOutlook(r, &e.Spec, ended), nil
}

// newOutlook puts what remains in the terms of an experiment.
func newOutlook(r algorithms.Remaining, s *experiment.Spec, ended []*experiment.Trial) Outlook {
	o := Outlook{Trials: r.Trials, Metric: s.Objective.ObjectiveMetricName, Improvement: r.Improvement, Share: r.Improvement / r.Spread}
	n := time.Duration(0)
	for _, t := range ended {
		if !t.Started.IsZero() && !t.Finished.IsZero() {
			o.Took, n = o.Took+t.Finished.Sub(t.Started), n+1
		}
	}
	o.Took /= max(1, n)
	return o
}

// String says it in words.
func (o Outlook) String() string {
	return fmt.Sprintf("%d more trials are expected to improve %s by about %s, which is %s %% of the interquartile range of its values",
		o.Trials, o.Metric, digits(o.Improvement), digits(100*o.Share))
}

// digits writes a number with the two digits that an expectation is worth.
func digits(v float64) string { return strconv.FormatFloat(v, 'g', 2, 64) }

// remaining asks an algorithm, whose faults are no faults of the daemon.
func remaining(def algorithms.Definition, p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial, ahead int) (r algorithms.Remaining, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("algorithm %s panicked: %v", def.Name, p)
		}
	}()
	return def.Remaining(p, v, finished, ahead)
}

// converged is the answer of an algorithm that expects too little of further trials for spec.tuned.termination.
type converged struct{ outlook Outlook }

func (c *converged) Error() string { return c.outlook.String() }

// errConverged returns the answer where spec.tuned.termination ends the experiment; nil where it goes on. Where the
// algorithm cannot say, it goes on.
func (s *suggestions) errConverged(q *question) error {
	if q.history == nil {
		return nil
	}
	r, err := remaining(s.def, s.problem, s.values, q.history, q.ending.Ahead())
	if err != nil || !(r.Improvement < *q.ending.MinImprovement*r.Spread) {
		return nil //nolint:nilerr // it cannot say
	}
	return &converged{newOutlook(r, q.spec, nil)}
}

// converge ends the experiment for want of improvement, and reports whether that is what the algorithm answered. Where
// a trial has finished since it was asked, it is asked again.
func (d *draft) converge(err error, unchanged bool) bool {
	var c *converged
	if !errors.As(err, &c) || !unchanged {
		return c != nil
	}
	message := fmt.Sprintf("Experiment has succeeded because %s: less than the %s %% that spec.tuned.termination asks for",
		c.outlook, digits(100**d.e.Spec.Tuned.Termination.MinImprovement))
	d.e.Status = experiment.Converge(d.e.Status, message, d.now)
	d.event("", experiment.ReasonConverged, message, false)
	d.log.Info().Str("reason", experiment.ReasonConverged).Str("state", string(d.e.Status.State())).Msg("experiment changed")
	return true
}
