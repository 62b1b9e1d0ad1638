package latency

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
)

// Study is a whole run, one trial after the other, of a function that costs nothing.
type Study struct {
	Optimizer string  `json:"optimizer"`
	Dimension int     `json:"dimension"`
	Trials    int     `json:"trials"` // that were done before patience was over
	Wanted    int     `json:"wanted"`
	CPU       float64 `json:"cpu"` // seconds in the optimizer, all threads
	Wall      float64 `json:"wall"`
	Fault     string  `json:"fault,omitempty"`
}

// DoStudy runs a study.
func DoStudy(e run.Entry, dimension, trials int, patience time.Duration) Study {
	s := Study{Optimizer: e.Name, Dimension: dimension, Wanted: trials}
	c := Climb{Optimizer: e.Name, Ours: e.Ours, Dimension: dimension, Rungs: []int{trials}}
	if err := s.do(e, c, patience); err != nil {
		s.Fault = err.Error()
	}
	return s
}

func (s *Study) do(e run.Entry, c Climb, patience time.Duration) (err error) {
	if e.Fault != nil {
		return e.Fault
	}
	o, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	t, err := task(s.Dimension, 1, s.Wanted)
	if err != nil {
		return err
	}
	climber := &climber{Climb: c, optimizer: o, task: t, meter: reported}
	if e.Ours {
		climber.meter = measured
	}
	end := time.Now().Add(patience)
	cost, err := climber.suggestionAt(0)
	for err == nil {
		s.CPU, s.Wall = s.CPU+cost.CPU, s.Wall+cost.Wall
		s.Trials++
		if s.Trials == s.Wanted || time.Now().After(end) {
			return nil
		}
		cost, err = climber.suggestion()
	}
	return err
}

// First is the time from the start of a process until it has made its first suggestion and ended.
type First struct {
	Optimizer string        `json:"optimizer"`
	Count     int           `json:"count"`
	Wall50    report.Figure `json:"wall50"` // seconds
	Wall95    report.Figure `json:"wall95"`
	Fault     string        `json:"fault,omitempty"`
}

// FirstOurs starts a small program that makes the algorithm and asks it once, in 10 dimensions.
func FirstOurs(ctx context.Context, name string, times int) First {
	f := First{Optimizer: name, Count: times}
	dir, err := os.MkdirTemp("", "tuned-bench-")
	if err != nil {
		f.Fault = err.Error()
		return f
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "first")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "github.com/tuned-hpo/tuned/bench/latency/first")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		f.Fault = fmt.Sprintf("build: %v\n%s", err, out)
		return f
	}
	var wall []float64
	for range times {
		begin := time.Now()
		out, err := exec.CommandContext(ctx, program, name).Output()
		wall = append(wall, time.Since(begin).Seconds())
		if err != nil || !bytes.HasPrefix(out, []byte("[")) || !json.Valid(out) {
			f.Fault = fmt.Sprintf("the first suggestion is %q, %v", strings.TrimSpace(string(out)), err)
			return f
		}
	}
	f.Wall50, f.Wall95 = report.Spread(wall)
	return f
}

// FirstPeer starts a peer and asks it once, in 10 dimensions.
func FirstPeer(e run.Entry, times int) First {
	f := First{Optimizer: e.Name, Count: times}
	if e.Fault != nil {
		f.Fault = e.Fault.Error()
		return f
	}
	var wall []float64
	for range times {
		begin := time.Now()
		if err := askOnce(e); err != nil {
			f.Fault = err.Error()
			return f
		}
		wall = append(wall, time.Since(begin).Seconds())
	}
	f.Wall50, f.Wall95 = report.Spread(wall)
	return f
}

func askOnce(e run.Entry) (err error) {
	t, err := task(10, 1, 100)
	if err != nil {
		return err
	}
	o, err := e.Open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	if err := o.Start(t); err != nil {
		return err
	}
	_, _, err = o.Ask(1)
	return err
}
