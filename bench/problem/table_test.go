package problem

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// file is a table of 2 by 3 configurations and 2 runs, of which one is missing.
func file() []byte {
	data := []byte("HPT1\x02\x02\x03\x02")
	nan := float32(math.NaN())
	for _, v := range []float32{1, 3, 4, 6, 7, nan, 0, 1, 5, 5, 8, 8 /* seconds */, 10, 20, 30, 40, 50, 60} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return data
}

func TestParseTable(t *testing.T) {
	tab, err := parseTable(file())
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{2, 5, 7, 0.5, 5, 8}; !same(tab.means, want) {
		t.Errorf("means are %v, want %v", tab.means, want)
	}
	// Equal means share the better place.
	for loss, want := range map[float64]float64{0.5: 1. / 6, 2: 2. / 6, 5: 3. / 6, 7: 5. / 6, 8: 1, math.Inf(1): 1} {
		if got := tab.quantile(loss); got != want {
			t.Errorf("quantile of %g is %g, want %g", loss, got, want)
		}
	}
	params := []searchspace.Parameter{choice("a", "x", "y"), ladder("b", 1, 10, 100)}
	if got := rowOf(params, tab.levels, searchspace.Point{1, 10}); got != 4 {
		t.Errorf("row of y, 10 is %d, want 4", got)
	}
	seen := map[float64]int{}
	source := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		seen[tab.run(0, source).Losses[0]]++
	}
	if len(seen) != 2 || seen[1] < 50 || seen[3] < 50 { // half of 200 each, 7 deviations are 50
		t.Errorf("runs of a configuration come up as %v", seen)
	}
	for range 20 {
		if got := tab.run(2, source).Losses[0]; got != 7 {
			t.Fatalf("the one run of a configuration whose other is missing is %g, want 7", got)
		}
	}
}

func TestParseTableRefuses(t *testing.T) {
	whole := string(file())
	for name, data := range map[string]string{
		"empty": "", "other file": "PK\x03\x04abc", "head cut": whole[:6], "body cut": whole[:len(whole)-1], "longer": whole + "x",
	} {
		if _, err := parseTable([]byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMissingTableSaysWhatToDo(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	kept := loaded.tables
	loaded.tables = nil
	defer func() { loaded.tables = kept }()
	_, err := Suite{Name: "s", Family: "hpotab15", Members: []string{"car"}, Budget: 1}.Problems()
	if err == nil || !strings.Contains(err.Error(), "bench/problem/install") {
		t.Errorf("error is %v, want one that says how to install it", err)
	}
}

// TestTables checks all installed tables against the spaces, and that they are worth searching.
func TestTables(t *testing.T) {
	needTables(t)
	for name := range tables {
		p := one(t, "hpotab15", name, 0, 0)
		tab, err := loadTable(name)
		if err != nil {
			t.Fatal(err)
		}
		cells, finite := p.Space.Cells()
		if !finite || cells != uint64(len(tab.means)) {
			t.Errorf("%s: space has %d points, table %d", name, cells, len(tab.means))
		}
		seen := make([]bool, len(tab.means))
		params := p.Space.Parameters()
		best := math.Inf(1)
		for k := range cells {
			x := p.Space.Cell(k)
			seen[rowOf(params, tab.levels, x)] = true
			best = min(best, p.Regret(p.Eval(x, 0, 0).True[0]))
		}
		for row, ok := range seen {
			if !ok {
				t.Fatalf("%s: no point has row %d", name, row)
			}
		}
		if want := 1 / float64(cells); best != want {
			t.Errorf("%s: least regret is %g, want %g", name, best, want)
		}
	}
}

// TestTablesFollowTheirParameters: the losses of a table are smooth along its lists, so that of two
// neighbours by one parameter the losses are closer than of two random configurations. A space in
// the wrong order would not be so.
func TestTablesFollowTheirParameters(t *testing.T) {
	needTables(t)
	for name := range tables {
		p := one(t, "hpotab15", name, 0, 0)
		source := rand.New(rand.NewPCG(8, 8))
		near, far := 0.0, 0.0
		for range 2000 {
			u, v := make([]float64, p.Space.Len()), make([]float64, p.Space.Len())
			for i := range u {
				u[i], v[i] = source.Float64(), source.Float64()
			}
			x := p.Space.Decode(u)
			rank := p.Regret(p.Eval(x, 0, 0).True[0])
			far += math.Abs(rank - p.Regret(p.Eval(p.Space.Decode(v), 0, 0).True[0]))
			i := source.IntN(len(u))
			step := 1 / float64(levelsOf(p.Space.Parameters())[i])
			if u[i] += step; u[i] > 1 {
				u[i] -= 2 * step
			}
			near += math.Abs(rank - p.Regret(p.Eval(p.Space.Decode(u), 0, 0).True[0]))
		}
		if !(near < 0.75*far) {
			t.Errorf("%s: neighbours differ by %g in quantile, others by %g", name, near/2000, far/2000)
		}
	}
}
