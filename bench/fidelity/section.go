package fidelity

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/tuned-hpo/tuned/bench/report"
)

// Section is what was measured on one suite with so many workers.
type Section struct {
	Suite   string  `json:"suite"`
	Workers int     `json:"workers"`
	Epochs  int     `json:"epochs"` // of a study
	Scores  []Score `json:"scores"`
	Shares  []Share `json:"shares"` // of ours, against every peer
}

// Score is one optimizer's.
type Score struct {
	Optimizer string        `json:"optimizer"`
	Version   string        `json:"version"`
	Ours      bool          `json:"ours,omitempty"`
	Studies   int           `json:"studies"`
	Curve     []float64     `json:"curve,omitempty"` // mean log10 regret after each 1/200 of the epochs
	Trainings report.Figure `json:"trainings"`       // mean
	Waits     int           `json:"waits"`           // of all studies
	Idle      report.Figure `json:"idle"`            // mean share of the workers' time
	Fault     string        `json:"fault,omitempty"`
}

// NewSection computes the figures of what entries did on the tasks of one suite.
func NewSection(suite string, workers int, all []Done) Section {
	s := Section{Suite: suite, Workers: workers}
	for _, d := range all {
		s.Scores = append(s.Scores, newScore(d))
		for _, study := range d.Studies {
			if study != nil {
				s.Epochs = study.Epochs
			}
		}
	}
	for _, ours := range all {
		for _, peer := range all {
			if ours.Entry.Ours && !peer.Entry.Ours {
				if share := Compare(ours.Entry.Name, peer.Entry.Name, good(ours), good(peer)); share.Runs > 0 {
					s.Shares = append(s.Shares, share)
				}
			}
		}
	}
	return s
}

// good are the studies that were done.
func good(d Done) (out []*Study) {
	for _, s := range d.Studies {
		if s != nil && s.Unsupported == "" {
			out = append(out, s)
		}
	}
	return out
}

func newScore(d Done) Score {
	c := Score{Optimizer: d.Entry.Name, Version: d.Entry.Version, Ours: d.Entry.Ours}
	if d.Fault != nil {
		c.Fault = d.Fault.Error()
	}
	studies := good(d)
	c.Studies = len(studies)
	n := float64(len(studies))
	for _, s := range studies {
		c.Trainings += report.Figure(float64(s.Trainings) / n)
		c.Idle += report.Figure(s.Idle / n)
		c.Waits += s.Waits
	}
	if n > 0 {
		c.Curve = MeanCurve(studies)
	}
	return c
}

// Plain prints the section as two tables.
func (s *Section) Plain(w io.Writer) {
	t := report.Table{
		Title:  fmt.Sprintf("%s, %d workers, %d epochs: mean log10 regret of what is recommended", s.Suite, s.Workers, s.Epochs),
		Header: []string{"optimizer", "studies", "after 1/4", "1/2", "all", "trainings", "waits", "idle", ""},
	}
	for _, c := range s.Scores {
		row := []string{c.Optimizer, fmt.Sprint(c.Studies), "-", "-", "-", "-", "-", "-"}
		if n := len(c.Curve); n > 0 {
			row = append(row[:2], fmt.Sprintf("%.3f", c.Curve[n/4]), fmt.Sprintf("%.3f", c.Curve[n/2]), fmt.Sprintf("%.3f", c.Curve[n-1]),
				fmt.Sprintf("%.0f", c.Trainings), fmt.Sprint(c.Waits), fmt.Sprintf("%.1f %%", 100*c.Idle))
		}
		t.Add(append(row, strings.TrimSpace(c.Fault))...)
	}
	t.Plain(w)
	if len(s.Shares) == 0 {
		return
	}
	t = report.Table{
		Title:  "Epochs after which the mean of ours is what the peer's is at the end, as a part of all",
		Header: []string{"ours", "peer", "studies", "share", "95 % interval", "log10 regret at the end, ours - peer"},
	}
	for _, x := range s.Shares {
		t.Add(x.Ours, x.Peer, fmt.Sprint(x.Runs), Percent(x.Mean), Percent(x.Low)+" to "+Percent(x.High), fmt.Sprintf("%+.3f", x.Difference))
	}
	t.Plain(w)
}

// Percent writes a share; one that is not reached is more than all.
func Percent(f report.Figure) string {
	if v := float64(f); math.IsNaN(v) || math.IsInf(v, 1) {
		return "> 100 %"
	}
	return fmt.Sprintf("%.0f %%", 100*f)
}
