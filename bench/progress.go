package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/tuned-hpo/tuned/bench/run"
)

// progress tells how far a queue is: one line that is rewritten on a terminal, else a line every
// ten seconds.
type progress struct {
	out            io.Writer
	terminal       bool
	begin, last    time.Time
	ours, baseline string
	halves         map[string]*run.Trajectory // runs that wait for their counterpart
	sum            float64                    // of log10 regret differences
	pairs          int
	kept           int
}

func newProgress(out io.Writer, ours, baseline string) *progress {
	f, ok := out.(*os.File)
	return &progress{
		out: out, terminal: ok && term.IsTerminal(int(f.Fd())), begin: time.Now(),
		ours: ours, baseline: baseline, halves: make(map[string]*run.Trajectory),
	}
}

// take takes in one step. The queue calls it from one goroutine at a time.
func (p *progress) take(s run.Progress) {
	if s.Last != nil {
		if s.Last.Cached {
			p.kept++
		}
		p.compare(s.Last)
	}
	every := 10 * time.Second
	if p.terminal {
		every = 200 * time.Millisecond
	}
	if now := time.Now(); now.Sub(p.last) >= every || s.Done == s.Total {
		p.last = now
		p.print(s)
	}
}

func (p *progress) print(s run.Progress) {
	line := fmt.Sprintf("%d of %d runs (%d kept from earlier), %s", s.Done, s.Total, p.kept, time.Since(p.begin).Round(time.Second))
	if s.Done < s.Total && s.Left > 0 {
		line += fmt.Sprintf(", about %s left", s.Left.Round(time.Second))
	}
	if p.pairs > 0 {
		line += fmt.Sprintf("; %s less %s so far %+.2f (%d pairs)", p.ours, p.baseline, p.sum/float64(p.pairs), p.pairs)
	}
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		return
	}
	fmt.Fprintln(p.out, line)
}

func (p *progress) end() {
	if p.terminal {
		fmt.Fprintln(p.out)
	}
}

// compare adds a pair of final regrets once both its runs are there.
func (p *progress) compare(tr *run.Trajectory) {
	if len(tr.LogRegret) == 0 || tr.Optimizer != p.ours && tr.Optimizer != p.baseline {
		return
	}
	key := fmt.Sprint(tr.Suite, tr.Problem, tr.Seed, tr.Workers)
	other := p.halves[key]
	if other == nil || other.Optimizer == tr.Optimizer {
		p.halves[key] = tr
		return
	}
	delete(p.halves, key)
	d := tr.LogRegret[len(tr.LogRegret)-1] - other.LogRegret[len(other.LogRegret)-1]
	if tr.Optimizer == p.baseline {
		d = -d
	}
	p.sum += d
	p.pairs++
}
