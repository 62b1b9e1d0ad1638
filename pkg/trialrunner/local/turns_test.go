package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
)

// crowd is a runner with some CPU slots, on which experiments compete with real processes. Each ends
// when the test says so.
type crowd struct {
	*Runner
	runnertest.Harness
	t     *testing.T
	files string
	count map[string]int
}

func newCrowd(t *testing.T, cpus, gpus int) *crowd {
	t.Helper()
	r, err := New(Config{Dir: t.TempDir(), Agent: agentPath, Address: "unix:/nobody", Secret: secret, CPUs: cpus, GPUs: gpus, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, r) })
	return &crowd{Runner: r, Harness: harness(t, r), t: t, files: t.TempDir(), count: map[string]int{}}
}

// trial is the next one of an experiment.
func (c *crowd) trial(name string, cpus, gpus int) trialrunner.Spec {
	c.count[name]++
	spec := c.Script(fmt.Sprintf("%s-%d", name, c.count[name]),
		`while [ ! -e "$1" ]; do sleep 0.02; done`, filepath.Join(c.files, fmt.Sprintf("%s-%d", name, c.count[name])))
	spec.Experiment = experiment.Key{Namespace: "default", Name: name}
	spec.Limits = trialrunner.Limits{CPUs: cpus, GPUs: gpus}
	return spec
}

// wants tries to start a trial, as a driver that is woken does.
func (c *crowd) wants(spec trialrunner.Spec) bool {
	c.t.Helper()
	err := c.Runner.Start(c.t.Context(), spec)
	if err != nil && !errors.Is(err, trialrunner.ErrBusy) {
		c.t.Fatalf("start %s: %v", spec.Trial, err)
	}
	return err == nil
}

// finish lets a trial end.
func (c *crowd) finish(spec trialrunner.Spec) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.files, spec.Trial), nil, 0o600); err != nil {
		c.t.Fatal(err)
	}
	c.End(c.t, spec)
}

// check asserts which of the trials start when each is tried in turn.
func (c *crowd) check(when string, specs []trialrunner.Spec, want ...bool) {
	c.t.Helper()
	for i, spec := range specs {
		if got := c.wants(spec); got != want[i] {
			c.t.Errorf("%s: %s: got started %t, want %t", when, spec.Trial, got, want[i])
		}
	}
}

// TestTheNextSlotIsForWhoHasNone: an experiment with very many trials lets another one begin.
func TestTheNextSlotIsForWhoHasNone(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2, 0)
	var many []trialrunner.Spec
	for range 100 {
		many = append(many, c.trial("many", 1, 0))
	}
	c.check("empty", many[:3], true, true, false)
	late := c.trial("late", 1, 0)
	c.check("full", []trialrunner.Spec{late}, false)
	c.finish(many[0])
	c.check("one is free", []trialrunner.Spec{many[2], late}, false, true)
	second := c.trial("late", 1, 0)
	c.check("full again", []trialrunner.Spec{second, many[2]}, false, false)
	c.finish(many[1]) // now the large one has none
	c.check("another is free", []trialrunner.Spec{second, many[2]}, false, true)
}

// TestWhoWaitsLongestIsNext: among those with as many workloads.
func TestWhoWaitsLongestIsNext(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 1, 0)
	a, b, d := c.trial("a", 1, 0), c.trial("b", 1, 0), c.trial("d", 1, 0)
	c.check("empty", []trialrunner.Spec{a, b, d}, true, false, false)
	c.finish(a)
	next := c.trial("a", 1, 0)
	c.check("free", []trialrunner.Spec{next, d, b}, false, false, true)
	c.finish(b)
	c.check("free again", []trialrunner.Spec{next, d}, false, true)
	c.Leave(a.Experiment)
	c.finish(d)
	later := c.trial("b", 1, 0)
	c.check("the first has left", []trialrunner.Spec{later}, true)
}

// TestSlotsAreKeptForWhoNeedsMany: small trials do not take what a large one waits for, but what it has no
// use for.
func TestSlotsAreKeptForWhoNeedsMany(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 4, 1)
	small := []trialrunner.Spec{c.trial("small", 1, 0), c.trial("small", 1, 0), c.trial("small", 1, 0)}
	c.check("empty", small[:2], true, true)
	large, gpu := c.trial("large", 4, 0), c.trial("gpu", 0, 1)
	c.check("too few", []trialrunner.Spec{large, small[2], gpu}, false, false, true)
	c.finish(small[0])
	c.check("still too few", []trialrunner.Spec{small[2]}, false)
	c.finish(small[1])
	c.check("enough", []trialrunner.Spec{small[2], large}, false, true)
	second := c.trial("gpu2", 0, 1)
	c.check("no GPU", []trialrunner.Spec{second}, false)
	c.finish(large)
	c.check("who waits for a GPU needs no CPU", []trialrunner.Spec{small[2]}, true)
}

// TestWhoWaitsIsWoken: by the end of another one's workload, by one who leaves, and by one who starts.
func TestWhoWaitsIsWoken(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, 2, 0)
	a, b, d := c.trial("a", 2, 0), c.trial("b", 2, 0), c.trial("d", 1, 0)
	c.check("empty", []trialrunner.Spec{a, b, d}, true, false, false)
	if err := os.WriteFile(filepath.Join(c.files, a.Trial), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.woken(b.Experiment)
	c.Leave(b.Experiment)
	c.woken(d.Experiment)
	e := c.trial("e", 1, 0)
	c.check("there is room", []trialrunner.Spec{d, e}, true, true)
}

// woken waits until an experiment is told to look.
func (c *crowd) woken(key experiment.Key) {
	c.t.Helper()
	for {
		select {
		case got := <-c.Changed():
			if got == key {
				return
			}
		case <-c.t.Context().Done():
			c.t.Fatalf("%s is not woken", key)
		}
	}
}
