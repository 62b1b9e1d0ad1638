// Command engine measures the daemon from outside, as its clients meet it, and prints one table.
// README.md says what is measured, and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "engine:", err)
		os.Exit(1)
	}
}

// measurements are all there are, in the order in which they are taken and printed.
var measurements = []struct {
	name string
	take func(b *bench, ctx context.Context) error
}{
	{"disk", (*bench).disk},
	{"gap", (*bench).gap},
	{"throughput", (*bench).throughput},
	{"observations", (*bench).observations},
	{"agents", (*bench).agents},
	{"curve", (*bench).curve},
	{"faults", (*bench).faults},
	{"restart", (*bench).restart},
	{"exports", (*bench).exports},
	{"size", (*bench).size},
}

// scale is how much is measured.
type scale struct {
	gapOne, gapMany int           // trials of the gaps, one and several at a time
	trial           time.Duration // that one trial takes at one at a time; at n at a time, n times that
	short           int           // trials of the throughput
	streams         int
	load            time.Duration // of each load of observations
	agentLoad       time.Duration // of the load by agents with a connection each
	points          int           // measurements of one trial
	faulty          int           // trials that go wrong, of each kind
	trials          int           // in the store of the restarts
	perTrial        int           // observations of each of them
	restarts        int           // of each kind
	idle            time.Duration // before a daemon's memory is read
}

var (
	full = scale{
		gapOne: 200, gapMany: 400, trial: 100 * time.Millisecond, short: 1000, streams: 1000,
		load: 10 * time.Second, agentLoad: time.Minute, points: 1_000_000, faulty: 100, trials: 100_000, perTrial: 10, restarts: 3, idle: 3 * time.Second,
	}
	quick = scale{
		gapOne: 20, gapMany: 40, trial: 10 * time.Millisecond, short: 100, streams: 100,
		load: 2 * time.Second, agentLoad: 3 * time.Second, points: 10_000, faulty: 5, trials: 2000, perTrial: 10, restarts: 1, idle: 500 * time.Millisecond,
	}
)

// bench is one run of the command.
type bench struct {
	scale
	dir      string // for all data of this run
	bin      string // folder of the programs
	progress io.Writer
	machine  machine
	figures  []figure
}

// run takes the measurements that args ask for and prints them.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("engine", flag.ContinueOnError)
	flags.SetOutput(stderr)
	small := flags.Bool("quick", false, "measure little, within a minute: the figures say whether it works, not how well")
	only := flags.String("only", strings.Join(names(), ","), "take these measurements, `NAMES` separated by commas")
	file := flags.String("json", "", "also write the figures as JSON into `FILE`")
	bin := flags.String("bin", "", "measure tuned and trial-agent in `DIR` instead of building them")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("--only %s: no such measurement; want some of %s", name, strings.Join(names(), ", "))
		}
	}
	b := &bench{scale: full, bin: *bin, progress: stderr}
	if *small {
		b.scale = quick
	}
	if b.machine, err = thisMachine(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "tuned-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := b.take(ctx, chosen); err != nil {
		return err
	}
	if err := b.report(stdout, *file); err != nil {
		return err
	}
	return b.missed()
}

func names() (out []string) {
	for _, m := range measurements {
		out = append(out, m.name)
	}
	return out
}

// take builds the programs and takes the chosen measurements.
func (b *bench) take(ctx context.Context, chosen []string) error {
	if err := b.build(ctx); err != nil {
		return err
	}
	for _, m := range measurements {
		if !slices.Contains(chosen, m.name) {
			continue
		}
		fmt.Fprintf(b.progress, "measuring %s\n", m.name)
		if err := m.take(b, ctx); err != nil {
			return fmt.Errorf("measure %s: %w", m.name, err)
		}
	}
	return nil
}

// build builds the programs as they are released, and the training program.
func (b *bench) build(ctx context.Context) error {
	const module = "github.com/tuned-hpo/tuned"
	built := filepath.Join(b.dir, "bin")
	packages := []string{module + "/bench/engine/stopwatch"}
	if b.bin == "" {
		b.bin = built
		packages = append(packages, module+"/cmd/tuned", module+"/cmd/trial-agent")
	}
	fmt.Fprintln(b.progress, "building")
	args := []string{"build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", built + "/"}
	cmd := exec.CommandContext(ctx, "go", append(args, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// stopwatch is the path of the training program.
func (b *bench) stopwatch() string { return filepath.Join(b.dir, "bin", "stopwatch") }

// newDir returns a fresh folder.
func (b *bench) newDir() (string, error) { return os.MkdirTemp(b.dir, "") }
