package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/bench/latency"
	"github.com/tuned-hpo/tuned/bench/report"
	"github.com/tuned-hpo/tuned/bench/run"
)

const (
	latencyFile = "latency.json"
	// childCommand is what this program starts itself with, to measure in a process of its own.
	childCommand = "latency-child"
	// studyPeers are those that the goals compare whole studies with.
	studyPeers = "optuna-tpe,optuna-gp,rustuna-tpe,goptuna-tpe"
)

// latencyFlags are the flags of the latency command.
type latencyFlags struct {
	ours, peers, study, studyPeers, out string
	sizes, dimensions, pending          string
	repeat, trials                      int
	patience                            time.Duration
	quick                               bool
}

// figures are all that the latency command measures.
type figures struct {
	Made    string           `json:"made"`
	Machine string           `json:"machine"`
	Ladders []latency.Ladder `json:"ladders"`
	Firsts  []latency.First  `json:"firsts"`
	Studies []latency.Study  `json:"studies"`
}

// latencyCommand measures what a suggestion takes, and memory.
func latencyCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var f latencyFlags
	flags := newFlags("latency", "", stderr)
	flags.StringVar(&f.ours, "ours", "bayesianoptimization,tpe", "`NAMES` of built-in algorithms")
	flags.StringVar(&f.peers, "peers", "installed", "`NAMES` of peers, or none, or installed")
	flags.StringVar(&f.study, "study", "tpe", "`NAMES` of built-in algorithms whose whole studies are timed")
	flags.StringVar(&f.studyPeers, "study-peers", "", "`NAMES` of peers whose whole studies are timed, or none (default: those of "+studyPeers+" that are in -peers)")
	flags.IntVar(&f.trials, "trials", 1000, "of a whole study, in 40 dimensions")
	flags.StringVar(&f.out, "out", filepath.Join("build", "bench"), "`FOLDER` for latency.json")
	flags.StringVar(&f.sizes, "n", "0,10,50,100,200,500,1000,2000,10000", "told trials at which suggestions are measured")
	flags.StringVar(&f.dimensions, "d", "5,10,20,40", "numbers of parameters")
	flags.StringVar(&f.pending, "pending", "0,8", "trials running at the time of a suggestion")
	flags.IntVar(&f.repeat, "repeat", 30, "suggestions measured at each size")
	flags.DurationVar(&f.patience, "patience", 2*time.Minute, "after which a ladder ends where it is, and a study too")
	flags.BoolVar(&f.quick, "quick", false, "measure little: 10 parameters, up to 1000 trials, patience 10s")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("latency takes no arguments, got %q", flags.Args())
	}
	if f.quick {
		f.sizes, f.dimensions, f.patience, f.repeat = "0,10,50,100,200,500,1000", "10", 10*time.Second, 20
	}
	climbs, err := f.climbs()
	if err != nil {
		return err
	}
	if err := f.names(ctx); err != nil {
		return err
	}
	all := f.measure(ctx, climbs, stderr)
	all.plain(stdout)
	if ctx.Err() != nil {
		return errors.New("interrupted; latency.json is not written")
	}
	return all.save(f.out)
}

// names checks all names before anything is measured, and fills in which peers are meant.
func (f *latencyFlags) names(ctx context.Context) error {
	if _, err := chooseOurs(slices.Concat(list(f.ours), list(f.study))); err != nil {
		return err
	}
	peers, err := choosePeers(ctx, list(f.peers))
	if err != nil {
		return err
	}
	studies := slices.DeleteFunc(list(studyPeers), func(name string) bool { return !slices.Contains(peers, name) })
	if f.studyPeers != "" {
		if studies, err = choosePeers(ctx, list(f.studyPeers)); err != nil {
			return err
		}
	}
	f.peers, f.studyPeers = strings.Join(peers, ","), strings.Join(studies, ",")
	return nil
}

// climbs returns the ladders that the flags ask for, without optimizers.
func (f latencyFlags) climbs() ([]latency.Climb, error) {
	sizes, err := numbers("n", f.sizes, 0)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(sizes); i++ {
		if sizes[i] <= sizes[i-1] {
			return nil, fmt.Errorf("-n must ascend, got %d after %d", sizes[i], sizes[i-1])
		}
	}
	dimensions, err := numbers("d", f.dimensions, 1)
	if err != nil {
		return nil, err
	}
	pending, err := numbers("pending", f.pending, 0)
	if err != nil {
		return nil, err
	}
	if f.repeat < 1 {
		return nil, fmt.Errorf("-repeat must be at least 1, got %d", f.repeat)
	}
	var out []latency.Climb
	for _, d := range dimensions {
		for _, p := range pending {
			out = append(out, latency.Climb{Dimension: d, Pending: p, Rungs: sizes, Repeat: f.repeat, Patience: f.patience})
		}
	}
	return out, nil
}

// numbers reads a list of whole numbers.
func numbers(flag, text string, least int) ([]int, error) {
	var out []int
	for _, word := range list(text) {
		n, err := strconv.Atoi(word)
		if err != nil || n < least {
			return nil, fmt.Errorf("-%s: %q is no whole number of at least %d", flag, word, least)
		}
		out = append(out, n)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("-%s is empty", flag)
	}
	return out, nil
}

// measure measures one thing after the other, for they share the machine.
func (f latencyFlags) measure(ctx context.Context, climbs []latency.Climb, stderr io.Writer) *figures {
	all := &figures{
		Made:    time.Now().UTC().Format("2006-01-02 15:04 MST"),
		Machine: fmt.Sprintf("%s, GOMAXPROCS %d", machine(), runtime.GOMAXPROCS(0)),
	}
	ladder := func(c latency.Climb, do func(latency.Climb) latency.Ladder) {
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(stderr, "measuring %s, d=%d, %d pending\n", c.Optimizer, c.Dimension, c.Pending)
		all.Ladders = append(all.Ladders, do(c))
	}
	for _, name := range list(f.ours) {
		for _, c := range climbs {
			c.Optimizer, c.Ours = name, true
			ladder(c, func(c latency.Climb) latency.Ladder { return c.InChild(ctx, childCommand) })
		}
		if ctx.Err() != nil {
			return all
		}
		all.Firsts = append(all.Firsts, latency.FirstOurs(ctx, name, f.repeat))
	}
	for _, e := range peerEntries(ctx, list(f.peers), stderr) {
		for _, c := range climbs {
			c.Optimizer = e.Name
			ladder(c, func(c latency.Climb) latency.Ladder { return c.Do(e) })
		}
		if ctx.Err() != nil {
			return all
		}
		all.Firsts = append(all.Firsts, latency.FirstPeer(e, 3))
	}
	f.studies(ctx, all, stderr)
	return all
}

// peerEntries returns the peers.
func peerEntries(ctx context.Context, names []string, stderr io.Writer) []run.Entry {
	entries, err := startPeers(ctx, names, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "no peers:", err)
	}
	return entries
}

// studies times whole studies.
func (f latencyFlags) studies(ctx context.Context, all *figures, stderr io.Writer) {
	const dimension = 40
	entries := peerEntries(ctx, list(f.studyPeers), stderr)
	for _, name := range list(f.study) {
		e, err := run.Builtin(name)
		e.Name, e.Fault = name, err
		entries = append(entries, e)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		fmt.Fprintf(stderr, "measuring a study of %s\n", e.Name)
		all.Studies = append(all.Studies, latency.DoStudy(e, dimension, f.trials, f.patience))
	}
}

// save writes the figures as JSON.
func (all *figures) save(dir string) error {
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, latencyFile), append(text, '\n'), 0o644)
}

// plain prints the figures.
func (all *figures) plain(w io.Writer) {
	fmt.Fprintf(w, "%s, %s\n\n", all.Made, all.Machine)
	two := func(a, b report.Figure) string { return fmt.Sprintf("%s/%s", short(a*1e3), short(b*1e3)) }
	all.ladders(w, "CPU ms of one suggestion, median/95 %, after n trials", func(r latency.Rung) string { return two(r.CPU50, r.CPU95) })
	all.ladders(w, "Wall ms of one suggestion, median/95 %", func(r latency.Rung) string { return two(r.Wall50, r.Wall95) })
	all.ladders(w, "Most memory so far, MB", func(r latency.Rung) string { return short(r.Peak / 1e6) })
	t := report.Table{Title: "From the start of a process to its first suggestion, 10 parameters", Header: []string{"optimizer", "ms, median", "95 %", ""}}
	for _, f := range all.Firsts {
		t.Add(f.Optimizer, short(f.Wall50*1e3), short(f.Wall95*1e3), f.Fault)
	}
	t.Plain(w)
	t = report.Table{Title: "Whole studies, 40 parameters", Header: []string{"optimizer", "trials", "CPU s", "wall s", ""}}
	for _, s := range all.Studies {
		trials := fmt.Sprint(s.Trials)
		if s.Trials < s.Wanted {
			trials += fmt.Sprintf(" of %d", s.Wanted)
		}
		t.Add(s.Optimizer, trials, fmt.Sprintf("%.3f", s.CPU), fmt.Sprintf("%.3f", s.Wall), s.Fault)
	}
	t.Plain(w)
}

// ladders prints one table of all ladders.
func (all *figures) ladders(w io.Writer, title string, cell func(latency.Rung) string) {
	if len(all.Ladders) == 0 {
		return
	}
	t := report.Table{Title: title, Header: []string{"optimizer", "d", "pending"}}
	for _, n := range all.Ladders[0].Rungs {
		t.Header = append(t.Header, fmt.Sprintf("n=%d", n))
	}
	for _, l := range all.Ladders {
		row := []string{l.Optimizer, fmt.Sprint(l.Dimension), fmt.Sprint(l.Pending)}
		for _, r := range l.Reached {
			row = append(row, cell(r))
		}
		for len(row) < len(t.Header) {
			row = append(row, "-")
		}
		t.Add(row...)
	}
	t.Plain(w)
	for _, l := range all.Ladders {
		if l.Fault != "" {
			fmt.Fprintf(w, "  %s, d=%d, %d pending: %s\n", l.Optimizer, l.Dimension, l.Pending, strings.TrimSpace(l.Fault))
		}
	}
}

// short writes three figures of a number.
func short(f report.Figure) string {
	switch v := float64(f); {
	case !(v == v): // NaN
		return "-"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// latencyChild measures in this process what standard input describes.
func latencyChild(in io.Reader, stdout io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	out, err := latency.Child(text)
	if err != nil {
		return err
	}
	_, err = stdout.Write(out)
	return err
}
