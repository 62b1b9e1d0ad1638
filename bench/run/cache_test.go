package run

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func trajectory(seed uint64, version string) *Trajectory {
	return &Trajectory{
		Suite: "quick/line", Problem: "line", Hash: "h", Cluster: "line", Budget: 2, Seed: seed, Workers: 1,
		Optimizer: "peer", Version: version, IDs: []uint64{1, 2},
		Points:    []Numbers{{0.1, math.NaN()}, {1e-300, math.Inf(-1)}},
		Losses:    []Numbers{{math.NaN()}, {2}},
		LogRegret: Numbers{math.Inf(1), -3.5}, AskCPU: Micros{0.001234, 2}, TellCPU: Micros{0, 1e-6}, Simulated: 3,
	}
}

var equal = []cmp.Option{cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-12), cmpopts.IgnoreFields(Trajectory{}, "Cached")}

func TestTrajectoriesReadBack(t *testing.T) {
	want := []*Trajectory{trajectory(1, "a"), trajectory(2, "b")}
	var b bytes.Buffer
	if err := WriteTrajectories(&b, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTrajectories(&b)
	if diff := cmp.Diff(want, got, equal...); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestCache(t *testing.T) {
	dir, kept := t.TempDir(), t.TempDir()
	e := Entry{Name: "peer", Version: "1"}
	c := NewCache(dir)
	c.KeepPeers(kept)
	for _, tr := range []*Trajectory{trajectory(1, "1"), trajectory(2, "1"), trajectory(1, "2")} {
		if err := c.Put(e, tr); err != nil {
			t.Fatal(err)
		}
	}
	p := line(t, 2)
	gone := Entry{Name: "peer", Fault: ErrUnsupported}
	tests := []struct {
		name  string
		entry Entry
		task  Task
		want  string // version
	}{
		{"same", e, Task{Hash: "h", Problem: p, Seed: 1, Workers: 1}, "1"},
		{"of another suite with the same problem", e, Task{Suite: "full/line", Hash: "h", Problem: p, Seed: 1, Workers: 1}, "1"},
		{"another version", Entry{Name: "peer", Version: "2"}, Task{Hash: "h", Problem: p, Seed: 1, Workers: 1}, "2"},
		{"another version, not run", Entry{Name: "peer", Version: "2"}, Task{Hash: "h", Problem: p, Seed: 2, Workers: 1}, ""},
		{"the newest where it cannot be started", gone, Task{Hash: "h", Problem: p, Seed: 1, Workers: 1}, "2"},
		{"another problem", e, Task{Hash: "other", Problem: p, Seed: 1, Workers: 1}, ""},
		{"another seed", e, Task{Hash: "h", Problem: p, Seed: 3, Workers: 1}, ""},
		{"more workers", e, Task{Hash: "h", Problem: p, Seed: 1, Workers: 8}, ""},
		{"another optimizer", Entry{Name: "other", Version: "1"}, Task{Hash: "h", Problem: p, Seed: 1, Workers: 1}, ""},
	}
	reader := NewCache(dir, kept)
	for _, tt := range tests {
		tr, err := reader.Get(tt.entry, tt.task)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if tr != nil {
			got = tr.Version
			if tr.Suite != tt.task.Suite || !tr.Cached {
				t.Errorf("%s: suite %q, cached %t", tt.name, tr.Suite, tr.Cached)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got version %q, want %q", tt.name, got, tt.want)
		}
	}
}
