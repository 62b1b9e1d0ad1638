package latency

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/bench/run"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// counter is an optimizer that notes how many trials were told and running at each ask.
type counter struct {
	dimension     int
	told, running int
	learned       int
	asks          [][2]int // told, running
}

func (c *counter) Start(t run.Task) error {
	c.dimension = t.Problem.Space.Len()
	c.told, c.running = 0, 0
	return nil
}

func (c *counter) Ask(uint64) (searchspace.Point, run.Cost, error) {
	c.asks = append(c.asks, [2]int{c.told, c.running})
	c.running++
	return make(searchspace.Point, c.dimension), run.Cost{CPU: 1, Wall: 2}, nil
}

func (c *counter) Tell(uint64, run.Outcome) (run.Cost, error) {
	c.told++
	c.running--
	return run.Cost{CPU: 0.5, Wall: 1}, nil
}

func (c *counter) Learn(finished []algorithms.Trial) {
	c.told += len(finished)
	c.learned += len(finished)
}

func (c *counter) End() error   { return nil }
func (c *counter) Close() error { return nil }

func TestClimb(t *testing.T) {
	for _, ours := range []bool{false, true} {
		o := &counter{}
		climb := Climb{Optimizer: "counter", Ours: ours, Dimension: 3, Pending: 2, Rungs: []int{0, 10, 250}, Repeat: 5, Patience: time.Minute}
		l := climb.Do(run.Entry{Name: "counter", Open: func() (run.Optimizer, error) { return o, nil }})
		if l.Fault != "" || len(l.Reached) != 3 {
			t.Fatalf("ours %t: %+v", ours, l)
		}
		for i, r := range l.Reached {
			if r.N != climb.Rungs[i] || r.Count != 5 {
				t.Errorf("ours %t: rung %d is %+v", ours, i, r)
			}
		}
		if !ours && (l.Reached[0].CPU50 != 1 || l.Reached[1].CPU50 != 1.5 || l.Reached[1].Wall95 != 3) {
			t.Errorf("costs are not what the peer reports: %+v", l.Reached)
		}
		// Five runs begin with 2 trials that stay pending; each suggestion tells the oldest first.
		begin := [][2]int{{0, 0}, {0, 1}, {0, 2}}
		if want := slices.Concat(begin, begin, begin, begin, begin, [][2]int{{1, 2}, {2, 2}}); !slices.Equal(o.asks[:len(want)], want) {
			t.Errorf("ours %t: asks were made at %v, want %v", ours, o.asks[:len(want)], want)
		}
		for _, a := range o.asks[15:] {
			if a[1] != climb.Pending {
				t.Fatalf("ours %t: %d pending, want %d", ours, a[1], climb.Pending)
			}
		}
		// The last rung is measured from 250 told trials on.
		if last := o.asks[len(o.asks)-1][0]; last != 255 {
			t.Errorf("ours %t: the last suggestion was after %d trials, want 255", ours, last)
		}
		if learned := map[bool]int{false: 0, true: 49}[ours]; o.learned != learned { // 200 asked for, one more to take it in
			t.Errorf("ours %t: %d trials were learned, want %d", ours, o.learned, learned)
		}
	}
}

func TestPatienceEndsTheLadder(t *testing.T) {
	climb := Climb{Dimension: 2, Rungs: []int{0, 10, 20}, Repeat: 5, Patience: 0}
	l := climb.Do(run.Entry{Open: func() (run.Optimizer, error) { return &counter{}, nil }})
	if l.Fault != "" || len(l.Reached) != 1 || l.Reached[0].Count != least {
		t.Errorf("got %+v", l)
	}
}

func TestChild(t *testing.T) {
	in, err := json.Marshal(Climb{Optimizer: "random", Ours: true, Dimension: 5, Rungs: []int{0, 300}, Repeat: 3, Patience: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	out, err := Child(in)
	if err != nil {
		t.Fatal(err)
	}
	var l Ladder
	if err := json.Unmarshal(out, &l); err != nil {
		t.Fatal(err)
	}
	if l.Fault != "" || len(l.Reached) != 2 || l.Reached[1].N != 300 || !(l.Reached[1].Wall50 > 0) {
		t.Errorf("got %+v", l)
	}
	if _, err := Child([]byte(`{"optimizer":"rndom"}`)); err == nil {
		t.Error("no error for an unknown name")
	}
}

func TestStudy(t *testing.T) {
	s := DoStudy(run.Entry{Name: "counter", Open: func() (run.Optimizer, error) { return &counter{}, nil }}, 40, 20, time.Minute)
	if s.Fault != "" || s.Trials != 20 || s.CPU != 1+19*1.5 || s.Wall != 2+19*3 {
		t.Errorf("got %+v", s)
	}
	s = DoStudy(run.Entry{Name: "counter", Open: func() (run.Optimizer, error) { return &counter{}, nil }}, 40, 20, 0)
	if s.Trials != 1 || s.Wanted != 20 {
		t.Errorf("without patience: got %+v", s)
	}
}

func TestFirst(t *testing.T) {
	f := FirstPeer(run.Entry{Name: "counter", Open: func() (run.Optimizer, error) { return &counter{}, nil }}, 3)
	if f.Fault != "" || f.Count != 3 || !(f.Wall50 > 0) {
		t.Errorf("got %+v", f)
	}
}

// TestLossHasOneBasin checks that the function has something to find: its least value lies at the
// known centre, up to the ripples.
func TestLossHasOneBasin(t *testing.T) {
	centre := searchspace.Point{0.3, 0.7, 0.3, 0.7, 0.3}
	corner := searchspace.Point{1, 0, 1, 0, 1}
	if at, far := loss(centre), loss(corner); !(at < 0.06 && far > 3) || math.IsNaN(at) {
		t.Errorf("got %v at the centre, %v far from it", at, far)
	}
}
