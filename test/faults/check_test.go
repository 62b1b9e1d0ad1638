package faults_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

func containsWord(text []byte, word string) bool {
	return slices.Contains(strings.Fields(string(text)), word)
}

// check looks at everything once no fault is left: invariants, trials, runs and processes.
func (w *world) check() {
	w.t.Helper()
	w.checkProcesses()
	fsck := exec.Command(filepath.Join(bin, "tuned"), "fsck", "--data-dir", w.data())
	if out, err := fsck.CombinedOutput(); err != nil {
		w.t.Errorf("fsck: %v\n%s", err, out)
	}
	if w.fault.part == "trials" || w.fault.part == "stop" {
		w.checkTrials()
	}
}

// checkTrials compares the records with what the training programs have done.
func (w *world) checkTrials() {
	w.t.Helper()
	s := w.open()
	defer s.Close()
	key := experiment.Key{Namespace: "default", Name: "trials"}
	trials, err := s.Trials(w.t.Context(), key)
	if err != nil || len(trials) != 4 {
		w.t.Fatalf("got %d trials (%v), want 4", len(trials), err)
	}
	text, err := os.ReadFile(w.runs())
	if err != nil {
		w.t.Fatal(err)
	}
	runs := map[string]int{}
	for _, name := range strings.Fields(string(text)) {
		runs[name]++
	}
	for i := range trials {
		trial := &trials[i]
		if trial.State != experiment.TrialSucceeded || trial.Attempt > 2 {
			w.t.Errorf("%s: got %s (%s) at attempt %d, want Succeeded at 1 or 2", trial.Name, trial.State, trial.Message, trial.Attempt)
		}
		if n := runs[trial.Name]; n < 1 || n > trial.Attempt {
			w.t.Errorf("%s ran %d times in %d attempts", trial.Name, n, trial.Attempt)
		}
		w.checkValues(s, key, trial)
	}
	if len(runs) != len(trials) {
		w.t.Errorf("%d trials ran, %d are known", len(runs), len(trials))
	}
}

// checkValues asserts that what the last attempt printed is stored, value for value.
func (w *world) checkValues(s *badger.Store, key experiment.Key, trial *experiment.Trial) {
	w.t.Helper()
	ms, err := s.Measurements(w.t.Context(), experiment.Stream{Experiment: key, Number: trial.Number, Attempt: trial.Attempt, Source: "agent"}, 0, 0)
	if err != nil || len(ms) != trialLines {
		w.t.Errorf("%s: got %d measurements (%v), want %d", trial.Name, len(ms), err, trialLines)
	}
	x, err := strconv.ParseFloat(trial.Assignment[0].Value, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, m := range ms {
		if want := fmt.Sprintf("%g", x+1/float64(i+1)); m.Text != want || m.Seq != uint64(i+1) {
			w.t.Errorf("%s: measurement %d is %s, want %d, %s", trial.Name, m.Seq, m.Text, i+1, want)
		}
	}
}

// checkTold asserts that each accepted result is stored, and the budget kept.
func (w *world) checkTold(told map[string]string) {
	w.t.Helper()
	s := w.open()
	defer s.Close()
	trials, err := s.Trials(w.t.Context(), experiment.Key{Namespace: "default", Name: "told"})
	if err != nil || len(trials) != toldTrials {
		w.t.Fatalf("got %d trials (%v), want %d", len(trials), err, toldTrials)
	}
	for i := range trials {
		trial := &trials[i]
		want, accepted := told[trial.Name]
		if !accepted {
			if trial.State != experiment.TrialFailed || trial.Reason != "TimedOut" {
				w.t.Errorf("%s: got %s (%s), want it timed out", trial.Name, trial.State, trial.Reason)
			}
			continue
		}
		if trial.State != experiment.TrialSucceeded || trial.Observation.Metrics[0].Latest != want {
			w.t.Errorf("%s: got %s %+v, %s was accepted", trial.Name, trial.State, trial.Observation, want)
		}
	}
	if len(told) == 0 {
		w.t.Error("no result was accepted: this shows nothing")
	}
}

func (w *world) open() *badger.Store {
	w.t.Helper()
	s, err := badger.Open(filepath.Join(w.data(), "store"), badger.Options{ReadOnly: true, Log: zerolog.Nop()})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// checkProcesses looks for processes that work for the directory. Agents of which the daemon knows the
// result are about to end.
func (w *world) checkProcesses() {
	w.t.Helper()
	var left []string
	for deadline := time.Now().Add(2 * time.Minute); ; <-time.After(20 * time.Millisecond) {
		left = left[:0]
		found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, file := range found {
			if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(w.dir)) {
				left = append(left, fmt.Sprintf("%s %q", file, text))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.t.Errorf("processes left: %v", left)
			return
		}
	}
}
