package report

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestStylesAreFixed(t *testing.T) {
	all := styles(styled)
	for i, name := range styled {
		if alone := styles([]string{name})[0]; !reflect.DeepEqual(alone, all[i]) {
			t.Errorf("%s: %v alone, %v among all", name, alone, all[i])
		}
	}
	names := append(slices.Clone(styled), "gp:a=1", "gp:a=2", "gp:a=3", "gp:a=4")
	seen := make(map[string]string)
	for i, s := range styles(names) {
		if other, ok := seen[fmt.Sprint(s)]; ok {
			t.Errorf("%s looks like %s", names[i], other)
		}
		seen[fmt.Sprint(s)] = names[i]
	}
	if got := styles(append(names, "one more")); len(got) != len(names)+1 {
		t.Errorf("got %d styles", len(got))
	}
}

func TestRoundTicks(t *testing.T) {
	for _, tt := range []struct {
		low, high float64
		want      string
	}{
		{0, 100, "[0 20 40 60 80 100]"},
		{0.1, 0.69, "[0.1 0.2 0.3 0.4 0.5 0.6]"},
		{-2.7, 0.4, "[-2.5 -2.0 -1.5 -1.0 -0.5 0.0]"},
		{1, 6.6, "[1 2 3 4 5 6]"},
		{0, 30, "[0 5 10 15 20 25 30]"},
		{3, 3, "[]"},
	} {
		labels := []string{}
		for _, tick := range roundTicks(tt.low, tt.high) {
			labels = append(labels, tick.Label)
		}
		if got := fmt.Sprint(labels); got != tt.want {
			t.Errorf("%v to %v: got %s, want %s", tt.low, tt.high, got, tt.want)
		}
	}
}
