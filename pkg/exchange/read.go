package exchange

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// Options say what a file does not say itself.
type Options struct {
	File      string // what faults call it
	Namespace string // of the experiment that comes of it
	Name      string

	Spec       *experiment.Spec              // the search space and objective of a CSV; nil: guessed from its cells
	Objectives []experiment.FurtherObjective // of a CSV without Spec
	Parameters []string                      // columns of a CSV without Spec, beside those named as ours are
	Columns    map[string]string             // what columns of a CSV stand for, by their titles; see docs/exchange.md
	Study      string                        // of an Optuna storage with several
}

// Readable are the formats that Read knows.
var Readable = []string{CSV, JSON, Journal, SQLite}

// Detect tells the format of a file by its first bytes: 64 are enough.
func Detect(head []byte) (format string, err error) {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\uFEFF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte(sqliteMagic)):
		return SQLite, nil
	case bytes.HasPrefix(head, []byte("PAR1")):
		return "", fmt.Errorf("parquet cannot be imported; export the trials as json or csv instead")
	case bytes.HasPrefix(text, []byte(`{"op_code"`)), bytes.HasPrefix(text, []byte("{")) && bytes.Contains(text, []byte(`"op_code"`)):
		return Journal, nil
	case bytes.HasPrefix(text, []byte("{")):
		return JSON, nil
	}
	return CSV, nil
}

// Read reads a study whose trials have all ended: those that had not are killed. Its experiment is one
// that clients evaluate, with as many trials as there are for its budget. An error that is
// experiment.Faults has all that is wrong with the file, each with its line and column.
func Read(r io.Reader, format string, o Options) (*Study, error) {
	var s *Study
	var err error
	switch format {
	case CSV:
		s, err = readCSV(r, &o)
	case JSON:
		s, err = readJSON(r, o.File)
	case Journal:
		s, err = readJournal(r, &o)
	case SQLite:
		s, err = readSQLite(r, &o)
	default:
		return nil, fmt.Errorf("no format %q that can be read; want one of %q", format, Readable)
	}
	if err != nil {
		return nil, err
	}
	if faults := s.finish(&o); len(faults) > 0 {
		return nil, limited(faults)
	}
	return s, nil
}

// maxFaults bounds the list; what is wrong with one row is mostly wrong with all.
const maxFaults = 20

func limited(faults experiment.Faults) experiment.Faults {
	slices.SortStableFunc(faults, func(a, b experiment.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	if more := len(faults) - maxFaults; more > 0 {
		return append(faults[:maxFaults:maxFaults], experiment.Fault{File: faults[0].File, Detail: fmt.Sprintf("%d more like these", more)})
	}
	return faults
}

// finish makes of what was read an experiment that has ended, and says what is wrong with it.
func (s *Study) finish(o *Options) experiment.Faults {
	e := s.Experiment
	e.APIVersion, e.Kind = "kubeflow.org/v1beta1", "Experiment"
	e.Metadata = experiment.Metadata{Name: o.Name, Namespace: o.Namespace, Labels: e.Metadata.Labels, Annotations: e.Metadata.Annotations}
	e.Local, e.Status, e.Control, e.Revision = experiment.Local{}, experiment.Status{}, experiment.Control{}, 0
	spec := &e.Spec
	spec.TrialTemplate, spec.MetricsCollectorSpec, spec.MaxFailedTrialCount = nil, nil, nil
	silence(spec)
	n := int32(len(s.Trials))
	spec.MaxTrialCount = &n
	experiment.SetDefaults(e)
	if parallel := spec.ParallelTrialCount; parallel != nil && *parallel > n {
		spec.ParallelTrialCount = new(max(1, n)) // the default is more than a few trials can be
	}
	var faults experiment.Faults
	if len(s.Trials) == 0 {
		return experiment.Faults{{File: o.File, Detail: "it holds no trial"}}
	}
	faults = append(faults, experiment.Validate(e, experiment.Options{})...)
	if len(faults) == 0 {
		faults = experiment.CheckTrials(spec, s.Trials) // readers of a file with its own search space have not looked at it
	}
	for i := range faults {
		faults[i].File = o.File
	}
	if len(faults) == 0 {
		s.end()
	}
	return faults
}

// reasonNotFinished is of a trial that had not ended when its file was written.
const reasonNotFinished = "NotFinished"

// end kills the trials that have not ended, and numbers all in the order of finishing: as the file
// has it, else by time.
func (s *Study) end() {
	order := make([]*experiment.Trial, len(s.Trials))
	for i := range s.Trials {
		t := &s.Trials[i]
		order[i] = t
		t.Attempt = max(1, t.Attempt)
		if !t.State.Final() {
			t.Reason, t.Message = reasonNotFinished, fmt.Sprintf("it was %s when the file was written", t.State)
			t.State = experiment.TrialKilled
		}
	}
	numbered := !slices.ContainsFunc(order, func(t *experiment.Trial) bool { return t.FinishNo == 0 && t.Reason != reasonNotFinished })
	slices.SortStableFunc(order, func(a, b *experiment.Trial) int {
		if numbered && a.FinishNo > 0 && b.FinishNo > 0 {
			return cmp.Compare(a.FinishNo, b.FinishNo)
		}
		return cmp.Or(cmp.Compare(late(a), late(b)), a.Finished.Compare(b.Finished))
	})
	for i, t := range order {
		t.FinishNo = uint64(i) + 1
	}
}

// late puts trials that never finished behind those that did.
func late(t *experiment.Trial) int {
	if t.Reason == reasonNotFinished {
		return 1
	}
	return 0
}

// stateNames are the states that files name, in lower case: ours, Optuna's, MLflow's and those of
// Weights & Biases.
var stateNames = map[string]experiment.TrialState{
	"pending": experiment.TrialPending, "running": experiment.TrialRunning, "succeeded": experiment.TrialSucceeded,
	"killed": experiment.TrialKilled, "failed": experiment.TrialFailed, "earlystopped": experiment.TrialEarlyStopped,
	"metricsunavailable": experiment.TrialMetricsUnavailable,

	"waiting": experiment.TrialPending, "complete": experiment.TrialSucceeded, "pruned": experiment.TrialEarlyStopped,
	"fail": experiment.TrialFailed, "scheduled": experiment.TrialPending, "finished": experiment.TrialSucceeded,
	"crashed": experiment.TrialFailed,
}
