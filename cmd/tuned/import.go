package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/pkg/exchange"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// importFlags are those of the import command.
type importFlags struct {
	place
	name, format, spec, study string
	objectives, parameters    []string
	columns                   []string
}

func (a *app) importCommand() *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import FILE --name NAME",
		Short: "Make an experiment of trials that another tool ran",
		Long: `Make an experiment of trials that another tool ran, or that "tuned export" wrote: of its json, of a csv
with a row per trial, or of the storage of an Optuna study, its journal or SQLite file. The experiment has
ended; it can be looked at, and others can learn from it by spec.tuned.warmStart. What a csv does not say,
the search space and the objective, comes from an experiment file (--spec) or is guessed from its cells.
FILE is - for standard input.`,
		Args: words(1, 1, "FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.importFile(c.Context(), &f, args[0])
		},
	}
	f.flags(c, a.getenv)
	flags := c.Flags()
	flags.StringVar(&f.name, "name", "", "`NAME` of the new experiment")
	flags.StringVar(&f.format, "from", "", "`FORMAT` of the file, found out unless given: "+strings.Join(exchange.Readable, ", "))
	flags.StringVar(&f.spec, "spec", "", "experiment `FILE` with the search space and the objective of a csv")
	flags.StringVar(&f.study, "study", "", "`NAME` of the Optuna study, where the file has several")
	flags.StringArrayVar(&f.objectives, "objective", nil, "what a csv without --spec optimizes, `TYPE=METRIC`, as in minimize=loss; may be repeated. Of an Optuna study it names the metrics")
	flags.StringSliceVar(&f.parameters, "parameters", nil, "columns of a csv without --spec that are parameters, separated by commas")
	flags.StringArrayVar(&f.columns, "column", nil, "what a column of a csv stands for, `TITLE=params.NAME`, metrics.NAME, number, state, ...; may be repeated")
	_ = c.RegisterFlagCompletionFunc("from", cobra.FixedCompletions(exchange.Readable, noFiles)) // fails for unknown flags only
	return c
}

func (a *app) importFile(ctx context.Context, f *importFlags, file string) error {
	o, err := a.importOptions(f, file)
	if err != nil {
		return err
	}
	s, err := a.readStudy(file, f.format, o)
	if err != nil {
		if faults := experiment.Faults(nil); errors.As(err, &faults) {
			return usage("import %s: nothing was imported:\n%w", named(file), faults)
		}
		return usage("import %s: %w", named(file), err)
	}
	for _, note := range s.Notes {
		fmt.Fprintf(a.stderr, "note: %s\n", visible(note))
	}
	w, err := f.send(ctx, s)
	if err != nil {
		return doing("import", err)
	}
	r := newResult(w.Experiment, w.trials, "", time.Time{})
	fmt.Fprintf(a.stdout, "%s imported: %s\n", w.Key(), r.trialText())
	r.chosen.print(a.stdout)
	return nil
}

// importOptions reads what the flags say of the file.
func (a *app) importOptions(f *importFlags, file string) (o exchange.Options, err error) {
	o = exchange.Options{
		File: named(file), Name: f.name, Namespace: f.namespace, Parameters: f.parameters,
		Study: f.study, Columns: map[string]string{},
	}
	if f.name == "" {
		return o, usage("import %s: --name NAME is required", named(file))
	}
	if f.format != "" && !slices.Contains(exchange.Readable, f.format) {
		return o, usage("--from %s: no such format; want one of %s", f.format, strings.Join(exchange.Readable, ", "))
	}
	for _, text := range f.columns {
		i := strings.LastIndex(text, "=") // a title may have one, too
		if i <= 0 {
			return o, usage("--column %q: want TITLE=WHAT", text)
		}
		o.Columns[text[:i]] = text[i+1:]
	}
	for _, text := range f.objectives {
		direction, metric, ok := strings.Cut(text, "=")
		if !ok || metric == "" || direction != "minimize" && direction != "maximize" {
			return o, usage("--objective %q: want minimize=METRIC or maximize=METRIC", text)
		}
		o.Objectives = append(o.Objectives, experiment.FurtherObjective{MetricName: metric, Type: direction})
	}
	if f.spec != "" {
		o.Spec, err = a.specOf(f.spec)
	}
	return o, err
}

// specOf reads an experiment's spec; the name of the experiment does not matter, nor does how it would run.
func (a *app) specOf(file string) (*experiment.Spec, error) {
	text, err := readInput(file, a.stdin)
	if err != nil {
		return nil, err
	}
	r := experiment.Read(named(file), text, options(false, true, ""))
	faults := slices.DeleteFunc(r.Faults, func(x experiment.Fault) bool { return strings.HasPrefix(x.Path, "metadata.") })
	if len(faults) > 0 {
		return nil, badExperiment(file, faults)
	}
	return &r.Experiment.Spec, nil
}

// readStudy reads a file, in the given format or in that it seems to have.
func (a *app) readStudy(file, format string, o exchange.Options) (*exchange.Study, error) {
	in := a.stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	buffered := bufio.NewReader(in)
	if format == "" {
		head, err := buffered.Peek(64)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if format, err = exchange.Detect(head); err != nil {
			return nil, err
		}
	}
	return exchange.Read(buffered, format, o)
}
