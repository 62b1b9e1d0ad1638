package main

import (
	"fmt"
	"strings"
)

// goal is a bound on the figures of a name.
type goal struct {
	measurement, of, figure string // of ends the case
	least, most             float64
}

// goals must hold on two cores on which nothing else runs.
var goals = []goal{
	{measurement: "observations", of: "batches of 10", figure: "durable and acknowledged", least: 15_000},
	{measurement: "observations", of: "batches of 10", figure: "p99", most: 500},
	{measurement: "curve", figure: "taken in", least: 30_000},
	{measurement: "curve", figure: "p99", most: 200},
	{measurement: "curve", figure: growth, most: 64},
	{measurement: "faults", figure: "p99", most: 2000},
	{measurement: "restart", of: "clean end", figure: "first answer, most", most: 1500},
	{measurement: "restart", of: "kill -9", figure: "first answer, most", most: 3000},
	{measurement: "restart", figure: "RssAnon, idle, most", most: 128},
}

// growth is by how much the daemon's own memory has grown.
const growth = "RssAnon, growth"

// bound returns the goal of a figure in words, and whether it is reached; "" where there is none.
func bound(f figure) (words string, reached bool) {
	for _, g := range goals {
		if g.measurement != f.Measurement || g.figure != f.Figure || !strings.HasSuffix(f.Case, g.of) {
			continue
		}
		if g.least > 0 {
			words, reached = "at least "+short(g.least), f.Value >= g.least
		} else {
			words, reached = "at most "+short(g.most), f.Value <= g.most
		}
		if !reached {
			words += ": MISSED"
		}
		return words, reached
	}
	return "", true
}

// missed says which goals were missed. Quick runs have none.
func (b *bench) missed() error {
	if b.scale == quick {
		return nil
	}
	var names []string
	for _, f := range b.figures {
		if _, reached := bound(f); !reached {
			names = append(names, fmt.Sprintf("%s, %s: %s", f.Measurement, f.Case, f.Figure))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("%d goals are missed: %s", len(names), strings.Join(names, "; "))
}
