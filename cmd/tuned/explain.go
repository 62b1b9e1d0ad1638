package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

func (a *app) explainCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "explain FILE [-- COMMAND [ARG...]]",
		Short: "Say in words what an experiment does",
		Long: `Say in words what an experiment does: objective, search space, budget, algorithm with its
settings, metrics, the command of the first trial, and each default that was applied and
why. It starts nothing.`,
		Args: fileAndCommand,
		RunE: func(c *cobra.Command, args []string) error {
			return a.explain(c, &f, args[0], args[1:])
		},
	}
	f.registerExperiment(c)
	return c
}

func (a *app) explain(c *cobra.Command, f *runFlags, file string, command []string) error {
	cfg, err := f.configure(c.Flags(), a.getenv)
	if err != nil {
		return err
	}
	r, err := a.read(&source{file, command, f, c.Flags()}, &cfg)
	if err != nil {
		return err
	}
	e := r.Experiment
	out := a.text()
	fmt.Fprintf(out, "Experiment %s\n", e.Key())
	explainObjective(out, &e.Spec)
	if err := explainSpace(out, &e.Spec, a.columns()); err != nil {
		return err
	}
	explainBudget(out, &e.Spec)
	if err := explainAlgorithm(out, &e.Spec); err != nil {
		return err
	}
	if err := explainEarlyStopping(out, &e.Spec); err != nil {
		return err
	}
	explainMetrics(out, e.Spec.MetricsCollectorSpec)
	if err := explainWorkload(out, e); err != nil {
		return err
	}
	explainDefaults(out, r.Defaults)
	return nil
}

func heading(w io.Writer, text string) { fmt.Fprintf(w, "\n%s\n", text) }

func explainObjective(w io.Writer, s *experiment.Spec) {
	o := s.Objective
	heading(w, "Objective")
	fmt.Fprintf(w, "  %s %s\n", o.Type, o.ObjectiveMetricName)
	if o.Goal != nil {
		fmt.Fprintf(w, "  goal %s: the experiment ends as soon as a trial reaches it%s\n", exact(*o.Goal), feasibly(s))
	} else {
		fmt.Fprintln(w, "  no goal: the experiment ends when its budget is used up")
	}
	if len(o.AdditionalMetricNames) > 0 {
		fmt.Fprintf(w, "  also recorded: %s\n", strings.Join(o.AdditionalMetricNames, ", "))
	}
	for _, x := range s.Objectives()[1:] {
		fmt.Fprintf(w, "  and %s %s: the result is the front of trials that none beats in all of these\n", x.Type, x.MetricName)
	}
	for i := range s.Constraints() {
		fmt.Fprintf(w, "  a trial counts as feasible only with %s\n", bounds(&s.Constraints()[i]))
	}
	of := map[string]string{"min": "least", "max": "greatest", "latest": "latest"}
	for _, s := range o.MetricStrategies {
		fmt.Fprintf(w, "  of a trial's values of %s the %s counts\n", s.Name, of[s.Value])
	}
}

// feasibly qualifies what only feasible trials do.
func feasibly(s *experiment.Spec) string {
	if len(s.Constraints()) == 0 {
		return ""
	}
	return " and keeps the constraints"
}

func explainSpace(w io.Writer, s *experiment.Spec, columns int) error {
	space, err := s.Space()
	if err != nil {
		return fmt.Errorf("explain search space: %w", err)
	}
	heading(w, "Search space")
	t := table{header: []string{"parameter", "type", "values", "distribution", "number", "only when"}}
	for i, checked := range space.Parameters() {
		p := &s.Parameters[i]
		values, distribution := strings.Join(p.FeasibleSpace.List, ", "), "each alike"
		if len(p.FeasibleSpace.List) == 0 {
			values = p.FeasibleSpace.Min + " to " + p.FeasibleSpace.Max
			distribution = p.FeasibleSpace.Distribution
		}
		if p.FeasibleSpace.Step != "" {
			values += " in steps of " + p.FeasibleSpace.Step
		}
		when := none
		if p.ActiveWhen != nil {
			when = p.ActiveWhen.Parameter + " is " + strings.Join(p.ActiveWhen.Values, " or ")
		}
		t.add(p.Name, p.ParameterType, values, distribution, valueCount(checked), when)
	}
	t.indentWhole(w, columns)
	if n, ok := space.Cells(); ok {
		fmt.Fprintf(w, "  %s in all\n", plural(int(n), "point"))
	}
	return nil
}

// valueCount says how many values a parameter can take.
func valueCount(p searchspace.Parameter) string {
	p.ActiveWhen = nil
	alone, err := searchspace.New([]searchspace.Parameter{p})
	if err != nil {
		return "?" // not met: the space that it comes from was checked
	}
	if n, ok := alone.Cells(); ok {
		return fmt.Sprint(n)
	}
	return "continuous"
}

func explainBudget(w io.Writer, s *experiment.Spec) {
	heading(w, "Budget")
	if s.MaxTrialCount != nil {
		fmt.Fprintf(w, "  %s, ", plural(int(*s.MaxTrialCount), "trial"))
	} else {
		fmt.Fprint(w, "  trials without a limit, ")
	}
	fmt.Fprintf(w, "%d at the same time\n", count(s.ParallelTrialCount, 1))
	if s.MaxFailedTrialCount != nil {
		fmt.Fprintf(w, "  the experiment fails once %s failed\n", plural(max(1, int(*s.MaxFailedTrialCount)), "trial"))
	}
	if x := s.Tuned; x != nil {
		if t := x.Termination; t != nil {
			fmt.Fprintf(w, "  the experiment ends once %d trials have ended and the next %d are expected to improve %s by less than %s %% of the interquartile range of its values\n",
				t.Least(), t.Ahead(), s.Objective.ObjectiveMetricName, exact(100**t.MinImprovement))
		}
		for _, limit := range []struct {
			text  string
			value *experiment.Duration
		}{
			{"a trial may take %v\n", x.TrialTimeout},
			{"a trial's metrics may be silent for %v\n", x.ProgressTimeout},
			{"a trial that must stop gets %v to end by itself\n", x.StopGrace},
		} {
			if limit.value != nil {
				fmt.Fprintf(w, "  "+limit.text, time.Duration(*limit.value))
			}
		}
	}
}

func explainAlgorithm(w io.Writer, s *experiment.Spec) error {
	def, values, err := chosenAlgorithm(s)
	if err != nil {
		return fmt.Errorf("explain algorithm: %w", err)
	}
	p, err := tuner.Problem(s)
	if err != nil {
		return fmt.Errorf("explain algorithm: %w", err)
	}
	heading(w, "Algorithm")
	fmt.Fprintf(w, "  %s: %s\n", def.Name, def.Summary)
	if def.Reference != "" {
		fmt.Fprintf(w, "  %s\n", def.Reference)
	}
	explainChoices(w, def, p, values)
	fmt.Fprintf(w, "  seed %d: the same experiment with the same seed tries the same points\n", p.Seed)
	if x := s.Tuned; x != nil && len(x.WarmStart) > 0 {
		fmt.Fprintf(w, "  it begins with what is known when the experiment is created from %s\n", strings.Join(x.WarmStart, ", "))
	}
	if len(def.Settings) > 0 {
		explainSettings(w, def.Settings, values, s.Algorithm.AlgorithmSettings)
	}
	return nil
}

// explainChoices says which algorithms are chosen, and from which trial on.
func explainChoices(w io.Writer, def algorithms.Definition, p algorithms.Problem, v algorithms.Values) {
	if def.Chooses == nil {
		return
	}
	for from := 0; ; {
		c := def.Chooses(p, v, from)
		when := "from the first trial on"
		if from > 0 {
			when = fmt.Sprintf("once %d trials have ended", from)
		}
		fmt.Fprintf(w, "  %s %s: %s\n", when, c.Name, c.Reason)
		if from = c.Until; from == 0 || p.MaxTrials > 0 && from >= p.MaxTrials {
			return
		}
	}
}

func explainEarlyStopping(w io.Writer, s *experiment.Spec) error {
	rules := s.EarlyStoppingRules()
	if len(rules) > 0 {
		heading(w, "Early stopping")
	}
	for _, r := range rules {
		def, err := builtin.Pruners().Lookup(r.AlgorithmName)
		if err != nil {
			return fmt.Errorf("explain early stopping: %w", err)
		}
		values, err := algorithms.ParsePruner(def, tuner.RawSettings(r))
		if err != nil {
			return fmt.Errorf("explain early stopping: %w", err)
		}
		fmt.Fprintf(w, "  %s: %s\n", def.Name, def.Summary)
		explainSettings(w, def.Settings, values, r.AlgorithmSettings)
	}
	return nil
}

func explainSettings(w io.Writer, all []algorithms.Setting, values algorithms.Values, given []experiment.Setting) {
	t := table{header: []string{"setting", "value", "from", "meaning"}}
	for i, s := range all {
		if slices.ContainsFunc(all[:i], func(other algorithms.Setting) bool { return other.Name == s.Name }) {
			continue // another dialect's
		}
		from := "default"
		for _, g := range given {
			if g.Name == s.Name {
				from = "the experiment"
			}
		}
		value := none
		if v, ok := values[s.Name]; ok && v != "" {
			value = fmt.Sprint(v)
		}
		t.add(s.Name, value, from, s.Help)
	}
	t.indent(w)
}

func explainMetrics(w io.Writer, m *experiment.MetricsCollectorSpec) {
	heading(w, "Metrics")
	for _, line := range collectorWords(m) {
		fmt.Fprintf(w, "  %s\n", line)
	}
}

// collectorWords says where metrics come from.
func collectorWords(m *experiment.MetricsCollectorSpec) []string {
	kind := experiment.StdOut
	if m != nil && m.Collector != nil && m.Collector.Kind != "" {
		kind = m.Collector.Kind
	}
	out := []string{map[experiment.CollectorKind]string{
		experiment.StdOut:           "read from what the command prints",
		experiment.File:             "read from a file that the command writes",
		experiment.TensorFlowEvent:  "read from TensorFlow event files",
		experiment.PrometheusMetric: "scraped from the command's HTTP endpoint",
		experiment.Push:             "pushed by the command itself",
		experiment.None:             "pushed by the command itself",
		experiment.Custom:           "collected by a container of your own",
	}[kind]}
	if m == nil || m.Source == nil {
		return out
	}
	if p := m.Source.FileSystemPath; p != nil {
		out = append(out, strings.TrimSpace(fmt.Sprintf("path %s, %s %s", p.Path, strings.ToLower(p.Kind), p.Format)))
	}
	if g := m.Source.HTTPGet; g != nil {
		out = append(out, fmt.Sprintf("port %v, path %s", g.Port, g.Path))
	}
	if f := m.Source.Filter; f != nil {
		for _, pattern := range f.MetricsFormat {
			out = append(out, "lines that match "+pattern)
		}
	}
	return out
}

func explainDefaults(w io.Writer, defaults []experiment.Default) {
	heading(w, "Defaults applied")
	if len(defaults) == 0 {
		fmt.Fprintln(w, "  none")
		return
	}
	t := table{header: []string{"field", "value", "why"}}
	for _, d := range defaults {
		t.add(d.Path, d.Value, d.Reason)
	}
	t.indent(w)
}
