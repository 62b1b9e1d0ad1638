package searchspace

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCells(t *testing.T) {
	big := make([]Parameter, 10)
	for i := range big {
		big[i] = Parameter{Name: fmt.Sprint(i), Kind: Int, Max: 99999}
	}
	tests := []struct {
		name   string
		params []Parameter
		want   uint64
		finite bool
	}{
		{"none", nil, 1, true},
		{"continuous", []Parameter{{Name: "a", Kind: Double, Max: 1}, {Name: "b", Kind: Int, Max: 1}}, 0, false},
		{"product", []Parameter{{Name: "a", Kind: Int, Max: 4}, {Name: "b", Kind: Double, Max: 1, Step: 0.25}}, 25, true},
		{"more than 2^64", big, math.MaxUint64, true},
		{"condition", conditional(), 2 + 3*4 + 1, true},
	}
	for _, tt := range tests {
		if n, finite := mustNew(t, tt.params...).Cells(); n != tt.want || finite != tt.finite {
			t.Errorf("%s: got %d, %t, want %d, %t", tt.name, n, finite, tt.want, tt.finite)
		}
	}
}

// conditional has the model's own parameters below it: 2 of "a", 3 x 4 of "b", none of "c".
func conditional() []Parameter {
	return []Parameter{
		{Name: "z", Kind: Int, Min: 1, Max: 4, ActiveWhen: &Condition{"model", []string{"b"}}},
		{Name: "model", Kind: Categorical, Values: []string{"a", "b", "c"}},
		{Name: "x", Kind: Int, Max: 1, ActiveWhen: &Condition{"model", []string{"a"}}},
		{Name: "y", Kind: Int, Max: 2, ActiveWhen: &Condition{"model", []string{"b"}}},
	}
}

func TestCellOrder(t *testing.T) {
	tests := []struct {
		name   string
		params []Parameter
		want   string
	}{
		{"last name fastest", []Parameter{{Name: "b", Kind: Int, Max: 1}, {Name: "a", Kind: Int, Max: 1}}, "b=0,a=0 b=1,a=0 b=0,a=1 b=1,a=1"},
		{"children of a middle value", []Parameter{
			{Name: "n", Kind: Int, Max: 3}, {Name: "c", Kind: Int, Max: 1, ActiveWhen: &Condition{"n", []string{"1"}}},
		}, "n=0 n=1,c=0 n=1,c=1 n=2 n=3"},
		{"children by name", []Parameter{
			{Name: "n", Kind: Int, Max: 1},
			{Name: "d", Kind: Int, Max: 1, ActiveWhen: &Condition{"n", []string{"0"}}},
			{Name: "c", Kind: Int, Max: 1, ActiveWhen: &Condition{"n", []string{"0"}}},
		}, "n=0,d=0,c=0 n=0,d=1,c=0 n=0,d=0,c=1 n=0,d=1,c=1 n=1"},
		{"children of two values", []Parameter{
			{Name: "n", Kind: Int, Max: 2},
			{Name: "c", Kind: Int, Max: 1, ActiveWhen: &Condition{"n", []string{"2", "0"}}},
			{Name: "d", Kind: Int, Max: 1, ActiveWhen: &Condition{"c", []string{"1"}}},
		}, "n=0,c=0 n=0,c=1,d=0 n=0,c=1,d=1 n=1 n=2,c=0 n=2,c=1,d=0 n=2,c=1,d=1"},
	}
	for _, tt := range tests {
		s := mustNew(t, tt.params...)
		n, _ := s.Cells()
		var cells []string
		for k := range n {
			var pairs []string
			for _, p := range s.Format(s.Cell(k)) {
				pairs = append(pairs, p.Name+"="+p.Value)
			}
			cells = append(cells, strings.Join(pairs, ","))
		}
		if got := strings.Join(cells, " "); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestCellsAreDistinctPoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spaces().Draw(t, "space")
		n, finite := s.Cells()
		if !finite {
			return
		}
		seen := make(map[string]uint64)
		for k := range min(n, 500) {
			k := k + (n-min(n, 500))*(k%2) // from both ends
			if k >= n || n == math.MaxUint64 && k > 1<<40 {
				continue
			}
			p := s.Cell(k)
			if err := s.Contains(p); err != nil {
				t.Fatalf("cell %d: %v", k, err)
			}
			if other, twice := seen[fmt.Sprint(p)]; twice && other != k {
				t.Fatalf("cells %d and %d of %+v are both %v", other, k, s.params, p)
			}
			seen[fmt.Sprint(p)] = k
		}
	})
}
