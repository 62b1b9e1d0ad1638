package tuner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// reasonImporting is of an experiment of which not all trials are stored yet. It counts as failed, so
// that nothing goes on with it but Import.
const reasonImporting = "ImportInterrupted"

// Bounds on what one commit of an import holds; a store refuses what is too large for one.
const (
	importTrials     = 500
	importBytes      = 256 << 10
	measurementBytes = 64 // that a measurement takes, about
)

// importSource is the stream of the measurements.
const importSource = "tell"

// unfinished reports whether not all trials of an import are stored. Nothing but Import and Delete goes on then.
func unfinished(e *experiment.Experiment) bool { return e.Status.Reason() == reasonImporting }

var errUnfinished = fmt.Errorf("not all of its trials are imported: import the same again, or delete it: %w", store.ErrConflict)

// History is an experiment whose trials have all ended elsewhere.
type History struct {
	Experiment *experiment.Experiment
	Trials     []experiment.Trial // numbered from 1, each with its finish number; names are given to them
	// Measured are measurements by trial number, their sequence numbers from 1.
	Measured map[uint64][]experiment.Measurement
	Request  string // names the call; "": it is not to be repeated once it is complete
}

// Import stores an experiment with its trials. It is new, stands as its trials make it, and nobody drives it.
// A large one takes several commits: until the last one it stands as failed, with what to do, nobody can
// change it, and the same Import again goes on. The same non-empty request finds what it has stored.
//
// ErrConflict: there is one of that name, an interrupted import of other trials, or it is being imported just
// now. ErrInvalid: their number is not the budget, a trial is too large, or experiment.Faults
// say what is wrong with them; nothing is stored then.
func (t *Tuner) Import(ctx context.Context, h History) error {
	e := h.Experiment
	m := &importing{Tuner: t, History: h, note: e.Note}
	m.Trials = slices.Clone(h.Trials)
	if err := m.all(ctx, e); err != nil {
		return fmt.Errorf("import experiment %s: %w", e.Key(), err)
	}
	failpoint.Hit("import.done")
	return nil
}

// importing is one import under way.
type importing struct {
	*Tuner
	History
	e      *experiment.Experiment // as it is stored
	note   experiment.Note        // on the experiment
	stored []experiment.Trial
	tally  experiment.Tally // of those stored
}

func (m *importing) all(ctx context.Context, e *experiment.Experiment) error {
	if err := m.check(e); err != nil {
		return err
	}
	release, err := m.claim(e.Key())
	if err != nil {
		return err
	}
	defer release()
	again, err := m.begin(ctx, e)
	if err != nil || again {
		return err
	}
	failpoint.Hit("import.begun")
	err = m.run(ctx)
	if errors.Is(err, store.ErrInvalid) { // it never will be stored
		err = errors.Join(err, m.Store.Delete(context.WithoutCancel(ctx), e.Key()))
	}
	if err == nil {
		m.feed.publish(m.change())
	}
	return err
}

// change is what watchers are told of an import: of many trials, to look at everything again.
func (m *importing) change() Change {
	if len(m.Trials) > importTrials {
		return Change{Reset: true}
	}
	c := Change{Key: m.e.Key(), Experiment: true, Event: 1, Events: 1}
	for i := range m.Trials {
		c.Trials = append(c.Trials, m.Trials[i].Number)
	}
	return c
}

// claim keeps the key from being driven until release.
func (t *Tuner) claim(key experiment.Key) (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.imports[key]:
		return nil, fmt.Errorf("it is being imported by another call: %w", store.ErrConflict)
	case t.drivers[key] != nil:
		return nil, errTaken
	}
	t.imports[key] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.imports, key)
	}, nil
}

func (m *importing) check(e *experiment.Experiment) error {
	if budget := e.Spec.MaxTrialCount; budget == nil || int(*budget) != len(m.Trials) {
		return fmt.Errorf("spec.maxTrialCount must be the number of trials, %d: %w", len(m.Trials), store.ErrInvalid)
	}
	if faults := faultsOf(&e.Spec, m.Trials); len(faults) > 0 {
		return fmt.Errorf("%w: %w", faults, store.ErrInvalid)
	}
	return nil
}

// maxFaults bounds the list; what is wrong with one trial is mostly wrong with all.
const maxFaults = 20

// faultsOf returns what is wrong with trials that are to be imported.
func faultsOf(s *experiment.Spec, trials []experiment.Trial) experiment.Faults {
	faults := experiment.CheckTrials(s, trials)
	finished := make([]bool, len(trials)+1)
	for i := range trials {
		t := &trials[i]
		path := fmt.Sprintf("trials[%d].", i)
		if !t.State.Final() {
			faults = append(faults, experiment.Fault{Path: path + "state", Type: experiment.Invalid, Detail: "it has not ended", Value: string(t.State)})
		}
		if n := t.FinishNo; n == 0 || n > uint64(len(trials)) || finished[n] {
			faults = append(faults, experiment.Fault{
				Path: path + "finishNumber", Type: experiment.Invalid, Value: fmt.Sprint(n),
				Detail: fmt.Sprintf("finish numbers of %d trials are 1 to %[1]d, each once", len(trials)),
			})
		} else {
			finished[n] = true
		}
		if err := t.Note.Check(); err != nil {
			faults = append(faults, experiment.Fault{Path: path + "note", Type: experiment.Invalid, Detail: err.Error()})
		}
	}
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults:maxFaults], experiment.Fault{Path: "trials", Type: experiment.Invalid, Detail: fmt.Sprintf("%d more like these", more)})
	}
	return faults
}

var (
	errTaken = fmt.Errorf("it exists already; give another name, or delete the stored one: %w", store.ErrConflict)
	errOther = fmt.Errorf("an import of something else under this name was interrupted; give another name, or delete what is stored: %w", store.ErrConflict)
)

// begin creates the experiment, or takes up the one that an interrupted import left behind. It reports whether
// the same request has imported it already.
func (m *importing) begin(ctx context.Context, e *experiment.Experiment) (again bool, err error) {
	now := m.Now()
	created := *e
	created.Metadata.UID, created.Metadata.Created = newUID(), &now
	created.Status = experiment.MarkFailed(experiment.NewStatus(now), reasonImporting, "Experiment has failed because its import "+
		"was interrupted: import the same file under the same name to go on, or delete it", now)
	failpoint.Hit("import.begin")
	err = m.Store.Create(ctx, &created)
	if err == nil || errors.Is(err, store.ErrConflict) {
		m.e, err = m.Store.Get(ctx, e.Key())
	}
	switch {
	case err != nil:
		return false, err
	case !unfinished(m.e) && m.Request != "" && m.e.Control.Imported == m.Request:
		return true, nil
	case !unfinished(m.e):
		return false, errTaken
	}
	if m.stored, err = m.Store.Trials(ctx, e.Key()); err != nil {
		return false, err
	}
	m.prepare()
	m.tally = experiment.NewTally(&m.e.Spec, m.stored)
	if !equal(m.e.Spec, e.Spec) || !m.continues() {
		return false, errOther
	}
	return false, nil
}

// continues reports whether what is stored is the beginning of what is imported.
func (m *importing) continues() bool {
	if len(m.stored) > len(m.Trials) {
		return false
	}
	for i := range m.stored {
		want := m.Trials[i]
		if !m.stored[i].State.Final() {
			want = announced(want)
		}
		if !equal(m.stored[i], want) {
			return false
		}
	}
	return true
}

// prepare gives the trials their names, which are those of trials of this experiment whatever they were called
// elsewhere, and fills in what a file may leave out: times and reasons.
func (m *importing) prepare() {
	for i := range m.Trials {
		t := &m.Trials[i]
		t.Name = experiment.TrialName(m.e.Metadata.Name, m.e.Metadata.UID, t.Number)
		t.Message = short(t.Message)
		if t.Created.IsZero() {
			t.Created = *m.e.Metadata.Created
		}
		if t.Reason == "" {
			t.Reason, t.Message = importedReason(t, &m.e.Spec)
		}
	}
}

// importedReason is for a trial of which its source does not say why it ended as it did.
func importedReason(t *experiment.Trial, s *experiment.Spec) (reason, message string) {
	if t.State != experiment.TrialSucceeded {
		return "Imported", fmt.Sprintf("it was imported as %s; its source does not say why", t.State)
	}
	for _, metric := range s.Needed() {
		if v := s.ValueOf(t)(metric); math.IsNaN(v) || math.IsInf(v, 0) {
			return ReasonDiverged, fmt.Sprintf("%s is %v, which is not finite: the trial counts as done and can never be the best", metric, v)
		}
	}
	return "TrialSucceeded", "Trial has succeeded"
}

// announced is a trial before its measurements are stored, which a trial that has ended accepts no more.
func announced(t experiment.Trial) experiment.Trial {
	return experiment.Trial{
		Number: t.Number, Name: t.Name, Attempt: t.Attempt, Assignment: t.Assignment, State: experiment.TrialPending, Created: t.Created,
		Parent: t.Parent,
	}
}

// run stores what is not stored yet.
func (m *importing) run(ctx context.Context) error {
	if err := m.settle(ctx); err != nil { // what an interrupted import has announced
		return err
	}
	for len(m.stored) < len(m.Trials) {
		if err := m.announce(ctx); err != nil {
			return err
		}
		if err := m.settle(ctx); err != nil {
			return err
		}
	}
	return m.complete(ctx)
}

// remark adds the note on a trial, or on the experiment as number 0.
func remark(c *store.Change, number uint64, n experiment.Note) {
	if n.Text == "" && len(n.Tags) == 0 {
		return
	}
	if c.Notes == nil {
		c.Notes = map[uint64]experiment.Note{}
	}
	c.Notes[number] = n
}

// announce stores the next trials as they ended, save for those whose measurements are for settle: of these
// that they exist.
func (m *importing) announce(ctx context.Context) error {
	var change store.Change
	size := 0
	for _, t := range m.Trials[len(m.stored):] {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		ms := m.Measured[t.Number]
		size += len(text) + len(ms)*measurementBytes
		if len(change.Create) > 0 && (size > importBytes || len(change.Create) == importTrials) {
			break
		}
		m.add(&change, t, ms)
	}
	err := m.commit(ctx, change)
	failpoint.Hit("import.announced")
	return err
}

// add adds a trial to a change.
func (m *importing) add(c *store.Change, t experiment.Trial, ms []experiment.Measurement) {
	switch {
	case len(ms) == 0:
		c.Create = append(c.Create, t)
	case len(ms)*measurementBytes > importBytes:
		t = announced(t)
		c.Create = append(c.Create, t)
	default:
		c.Create = append(c.Create, announced(t))
		c.Append = append(c.Append, store.Appended{Number: t.Number, Attempt: t.Attempt, Source: importSource, Measurements: ms})
		c.Update = append(c.Update, t)
	}
	remark(c, t.Number, t.Note) // none once announced
	m.tally.Add(&m.e.Spec, &t)
	m.stored = append(m.stored, t)
}

// settle stores the measurements of the trials that were announced alone, and then how they ended.
func (m *importing) settle(ctx context.Context) error {
	var change store.Change
	for i := range m.stored {
		if m.stored[i].State.Final() {
			continue
		}
		t := m.Trials[i]
		s := experiment.Stream{Experiment: m.e.Key(), Number: t.Number, Attempt: t.Attempt, Source: importSource}
		if _, err := m.Store.Append(ctx, s, m.Measured[t.Number]); err != nil {
			return fmt.Errorf("measurements of trial %d: %w", t.Number, err)
		}
		m.tally.Update(&m.e.Spec, m.stored[i].State, &t)
		m.stored[i] = t
		remark(&change, t.Number, t.Note)
		change.Update = append(change.Update, t)
	}
	if len(change.Update) == 0 {
		return nil
	}
	failpoint.Hit("import.measured")
	return m.commit(ctx, change)
}

// complete makes the experiment what its trials make of it, as long as they took.
func (m *importing) complete(ctx context.Context) error {
	now := m.Now()
	start, end := now, time.Time{}
	for i := range m.Trials {
		if t := &m.Trials[i]; t.Created.Before(start) {
			start = t.Created
		}
		if t := &m.Trials[i]; t.Finished.After(end) {
			end = t.Finished
		}
	}
	if end.Before(start) {
		end = now
	}
	failpoint.Hit("import.stored")
	m.e.Status = experiment.NewStatus(start)
	m.e.Status = m.tally.Next(m.e, false, end)
	change := store.Change{Events: []experiment.Event{{
		Time: now, Reason: "ExperimentImported", Message: fmt.Sprintf("%d trials were imported", len(m.Trials)),
	}}}
	if m.Request != "" {
		control := m.e.Control
		control.Imported = m.Request
		change.Control = &control
	}
	remark(&change, 0, m.note)
	return m.commit(ctx, change)
}

// commit makes a change durable, with the status that follows from the trials that are stored.
func (m *importing) commit(ctx context.Context, change store.Change) error {
	m.e.Status = m.tally.Next(m.e, false, m.Now())
	change.Revision, change.Status = m.e.Revision, &m.e.Status
	revision, err := m.Store.Commit(ctx, m.e.Key(), change)
	m.e.Revision = revision
	return err
}
