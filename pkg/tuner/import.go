package tuner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// reasonImporting is of an experiment of which not all trials are stored yet. It counts as failed, so
// that nothing goes on with it but Import.
const reasonImporting = "ImportInterrupted"

// halfImported reports whether not all trials of an experiment are stored yet. Those that are may stand
// as pending although they have ended.
func halfImported(e *experiment.Experiment) bool { return e.Status.Reason() == reasonImporting }

// Bounds on what one commit of an import holds; a store refuses what is too large for one.
const (
	importTrials = 500
	importBytes  = 256 << 10
)

// Import stores an experiment whose trials have all ended, as exchange.Read returns them: numbered from 1,
// each with its finish number. Measurements are by trial number, their sequence numbers from 1. The
// experiment is new, stands as its trials make it, and nobody drives it. A large one takes several commits:
// until the last one it stands as failed, with what to do, and the same Import again goes on.
//
// store.ErrConflict: there is one of that name, or an interrupted import of other trials.
// store.ErrInvalid: a trial has not ended or is too large, or their number is not the budget; nothing is
// stored then.
func (t *Tuner) Import(ctx context.Context, e *experiment.Experiment, trials []experiment.Trial, measured map[uint64][]experiment.Measurement) error {
	m := &importing{Tuner: t, trials: slices.Clone(trials), measured: measured, note: e.Note}
	if err := m.all(ctx, e); err != nil {
		return fmt.Errorf("import experiment %s: %w", e.Key(), err)
	}
	return nil
}

// importing is one import under way.
type importing struct {
	*Tuner
	e        *experiment.Experiment // as it is stored
	trials   []experiment.Trial
	measured map[uint64][]experiment.Measurement
	note     experiment.Note // on the experiment
	stored   []experiment.Trial
	tally    experiment.Tally // of those stored
}

func (m *importing) all(ctx context.Context, e *experiment.Experiment) error {
	if err := m.check(e); err != nil {
		return err
	}
	if err := m.begin(ctx, e); err != nil {
		return err
	}
	err := m.run(ctx)
	if errors.Is(err, store.ErrInvalid) { // it never will be stored
		err = errors.Join(err, m.Store.Delete(context.WithoutCancel(ctx), e.Key()))
	}
	return err
}

func (m *importing) check(e *experiment.Experiment) error {
	if m.driver(e.Key()) != nil {
		return errExists
	}
	if budget := e.Spec.MaxTrialCount; budget == nil || int(*budget) != len(m.trials) {
		return fmt.Errorf("spec.maxTrialCount must be the number of trials, %d: %w", len(m.trials), store.ErrInvalid)
	}
	for i := range m.trials {
		if t := &m.trials[i]; !t.State.Final() || t.FinishNo == 0 || t.Number != uint64(i)+1 {
			return fmt.Errorf("trial %d at place %d is %s, its finish number is %d: %w", t.Number, i+1, t.State, t.FinishNo, store.ErrInvalid)
		}
	}
	return nil
}

var errExists = fmt.Errorf("it exists already; give another name, or delete the stored one: %w", store.ErrConflict)

// begin creates the experiment, or takes up the one that an interrupted import left behind.
func (m *importing) begin(ctx context.Context, e *experiment.Experiment) error {
	now := m.Now()
	created := *e
	created.Metadata.UID, created.Metadata.Created = newUID(), &now
	created.Status = experiment.MarkFailed(experiment.NewStatus(now), reasonImporting, "Experiment has failed because its import "+
		"was interrupted: import the same file under the same name to go on, or delete it", now)
	err := m.Store.Create(ctx, &created)
	if err == nil || errors.Is(err, store.ErrConflict) {
		m.e, err = m.Store.Get(ctx, e.Key())
	}
	if err != nil {
		return err
	}
	if !halfImported(m.e) {
		return errExists
	}
	if m.stored, err = m.Store.Trials(ctx, e.Key()); err != nil {
		return err
	}
	m.prepare()
	m.tally = experiment.NewTally(&m.e.Spec, m.stored)
	if !equal(m.e.Spec, e.Spec) || !m.continues() {
		return fmt.Errorf("an import of something else under this name was interrupted; give another name, or delete what is stored: %w", store.ErrConflict)
	}
	return nil
}

// continues reports whether what is stored is the beginning of what is imported.
func (m *importing) continues() bool {
	if len(m.stored) > len(m.trials) {
		return false
	}
	for i := range m.stored {
		want := m.trials[i]
		if !m.stored[i].State.Final() {
			want = announced(want)
		}
		if !equal(m.stored[i], want) {
			return false
		}
	}
	return true
}

// prepare fills in what a file may leave out: names, unless all trials have one that could be ours, times
// and reasons.
func (m *importing) prepare() {
	named := map[string]bool{}
	for i := range m.trials {
		if name := m.trials[i].Name; plausible(name) {
			named[name] = true
		}
	}
	for i := range m.trials {
		t := &m.trials[i]
		if len(named) < len(m.trials) {
			t.Name = experiment.TrialName(m.e.Metadata.Name, m.e.Metadata.UID, t.Number)
		}
		if t.Created.IsZero() {
			t.Created = *m.e.Metadata.Created
		}
		if t.Reason == "" {
			t.Reason, t.Message = importedReason(t, &m.e.Spec)
		}
	}
}

// plausible reports whether a trial may have the name: a DNS label that is no number.
func plausible(name string) bool {
	if name == "" || len(name) > 63 || strings.Trim(name, "0123456789") == "" || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
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
	}
}

// run stores what is not stored yet.
func (m *importing) run(ctx context.Context) error {
	if err := m.settle(ctx); err != nil { // what an interrupted import has announced
		return err
	}
	for len(m.stored) < len(m.trials) {
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

// announce stores the next trials, those without measurements as they ended.
func (m *importing) announce(ctx context.Context) error {
	var change store.Change
	size := 0
	for _, t := range m.trials[len(m.stored):] {
		text, err := json.Marshal(t)
		if err != nil {
			return err
		}
		if size += len(text); len(change.Create) > 0 && (size > importBytes || len(change.Create) == importTrials) {
			break
		}
		if len(m.measured[t.Number]) > 0 {
			t = announced(t)
		}
		remark(&change, t.Number, t.Note)
		change.Create = append(change.Create, t)
		m.tally.Add(&m.e.Spec, &t)
	}
	m.stored = append(m.stored, change.Create...)
	return m.commit(ctx, change)
}

// settle stores the measurements of the trials that were announced, and then how they ended.
func (m *importing) settle(ctx context.Context) error {
	var change store.Change
	for i := range m.stored {
		if m.stored[i].State.Final() {
			continue
		}
		t := m.trials[i]
		s := experiment.Stream{Experiment: m.e.Key(), Number: t.Number, Attempt: t.Attempt, Source: "tell"}
		if _, err := m.Store.Append(ctx, s, m.measured[t.Number]); err != nil {
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
	return m.commit(ctx, change)
}

// complete makes the experiment what its trials make of it, as long as they took.
func (m *importing) complete(ctx context.Context) error {
	now := m.Now()
	start, end := now, time.Time{}
	for i := range m.trials {
		if t := &m.trials[i]; t.Created.Before(start) {
			start = t.Created
		}
		if t := &m.trials[i]; t.Finished.After(end) {
			end = t.Finished
		}
	}
	if end.Before(start) {
		end = now
	}
	m.e.Status = experiment.NewStatus(start)
	m.e.Status = m.tally.Next(m.e, false, end)
	change := store.Change{Events: []experiment.Event{{
		Time: now, Reason: "ExperimentImported", Message: fmt.Sprintf("%d trials were imported", len(m.trials)),
	}}}
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
