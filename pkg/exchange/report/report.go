// Package report writes an experiment as one HTML page to mail, print or attach: it needs no script and no
// network, and shows the same numbers as the command line.
package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sigs.k8s.io/yaml"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// Input is what a report is about.
type Input struct {
	Experiment *experiment.Experiment
	Trials     []experiment.Trial // by number
	Curves     []Curve            // of the trials that Curved returns
	Model      *tuner.Model       // nil: there is none
	NoModel    string             // why
	Now        time.Time          // of the report
}

// Bounds of what is shown, so that a page of thousands of trials stays small.
const (
	maxRows   = 200  // of the table
	maxLines  = 300  // of the parallel coordinates
	maxPlots  = 24   // parameters that are plotted
	maxPoints = 2000 // of a plot
	maxNamed  = 1000 // trials that say which they are when they are pointed at
)

//go:embed page.html
var pageText string

//go:embed style.css
var style string

var page = template.Must(template.New("page").Parse(pageText))

// Write writes the page.
func Write(w io.Writer, in Input) error {
	p, err := newReport(&in)
	if err != nil {
		return err
	}
	return page.Execute(visible{w}, p)
}

// visible writes control characters as Go does, such as \x1b, but for the ends of lines and tabs: who reads the page in
// a terminal is not to have it driven.
type visible struct{ to io.Writer }

// Write implements io.Writer for texts of whole characters, as templates write them.
func (v visible) Write(text []byte) (int, error) {
	drives := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
	if bytes.IndexFunc(text, drives) < 0 {
		return v.to.Write(text)
	}
	var out strings.Builder
	for _, r := range string(text) {
		if drives(r) {
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		} else {
			out.WriteRune(r)
		}
	}
	_, err := io.WriteString(v.to, out.String())
	return len(text), err
}

// report is what the template shows.
type report struct {
	Style     template.CSS
	Title     string
	Namespace string
	State     string
	Look      string // class of the state: its first word, or none where it hides that there is no result
	Reason    string
	Message   string
	Facts     []pair
	Best      *best
	NoBest    string
	Front     *front
	Wide      *plot // history, twice: for wide screens and for narrow ones
	Narrow    *plot
	History   string // what to know of it
	Course    *plot  // learning curves; nil where there are none
	Learning  string // what to know of them
	Outputs   []output
	NoModel   string
	At        string
	Parallel  *plot
	Lines     string
	Failures  []failure
	Table     table
	YAML      string
	Made      string

	*Input
	spec *experiment.Spec
}

type pair struct{ Name, Value string }

// best is the best trial.
type best struct {
	Trial      string
	Number     uint64
	Metric     string
	Value      string
	Brief      string
	Goal       string
	Metrics    []pair // the further ones
	Parameters []pair
}

func newReport(in *Input) (*report, error) {
	e := in.Experiment
	r := &report{
		Style: template.CSS(style), //nolint:gosec // a file of ours
		Title: e.Metadata.Name, Namespace: e.Metadata.Namespace, State: string(e.Status.State()), Look: string(e.Status.State()),
		Made: in.Now.UTC().Format("2006-01-02 15:04 UTC"), Input: in, spec: &e.Spec,
	}
	if n := len(e.Status.Conditions); n > 0 {
		r.Reason, r.Message = e.Status.Conditions[n-1].Reason, e.Status.Conditions[n-1].Message
	}
	r.Facts = r.facts()
	r.findBest()
	r.judge()
	r.Front = r.newFront()
	r.history()
	r.curves()
	r.model()
	r.parallel()
	r.Failures = failures(in.Trials)
	r.Table = r.newTable()
	text, err := manifest(e)
	r.YAML = text
	return r, err
}

// manifest is the experiment as a person would write it. The address of a webhook may be a secret.
func manifest(e *experiment.Experiment) (string, error) {
	shown := experiment.Experiment{
		APIVersion: e.APIVersion, Kind: e.Kind, Spec: e.Spec,
		Metadata: experiment.Metadata{Name: e.Metadata.Name, Namespace: e.Metadata.Namespace, Labels: e.Metadata.Labels, Annotations: e.Metadata.Annotations},
	}
	if t := shown.Spec.Tuned; t != nil && len(t.Webhooks) > 0 {
		quiet := *t
		quiet.Webhooks = nil
		shown.Spec.Tuned = &quiet
	}
	text, err := yaml.Marshal(&shown)
	if err != nil {
		return "", fmt.Errorf("write experiment as YAML: %w", err)
	}
	return string(text), nil
}

// trialsFact counts the trials by state.
func (r *report) trialsFact() string {
	counts := map[experiment.TrialState]int{}
	for i := range r.Trials {
		counts[r.Trials[i].State]++
	}
	var words []string
	for _, s := range []experiment.TrialState{
		experiment.TrialSucceeded, experiment.TrialEarlyStopped, experiment.TrialFailed, experiment.TrialMetricsUnavailable,
		experiment.TrialKilled, experiment.TrialRunning, experiment.TrialPending,
	} {
		if n := counts[s]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	trials := strconv.Itoa(len(r.Trials))
	if limit := r.spec.MaxTrialCount; limit != nil {
		trials += fmt.Sprintf(" of %d", *limit)
	}
	if len(words) > 0 {
		trials += ": " + strings.Join(words, ", ")
	}
	return trials
}

func (r *report) facts() []pair {
	facts := []pair{{"Trials", r.trialsFact()}}
	if r.spec.Algorithm != nil {
		facts = append(facts, pair{"Algorithm", r.spec.Algorithm.AlgorithmName})
	}
	for _, o := range r.spec.Objectives() {
		facts = append(facts, pair{"Objective", o.Type + " " + o.MetricName})
	}
	for i := range r.spec.Constraints() {
		facts = append(facts, pair{"Constraint", constraintText(&r.spec.Constraints()[i])})
	}
	if s := r.Experiment.Status; s.StartTime != nil {
		end := r.Now
		if s.CompletionTime != nil {
			end = *s.CompletionTime
		}
		facts = append(facts, pair{"Began", s.StartTime.UTC().Format("2006-01-02 15:04:05 UTC")},
			pair{"Took", took(end.Sub(*s.StartTime))})
	}
	if n := r.Experiment.Note; len(n.Tags) > 0 || n.Text != "" {
		facts = append(facts, pair{"Tags", strings.Join(n.Tags, ", ")}, pair{"Note", n.Text})
	}
	return facts
}

// took is a duration, of days without the parts of a minute.
func took(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(0, d)
	if d < day {
		return d.Round(time.Millisecond).String()
	}
	return fmt.Sprintf("%dd%s", d/day, strings.TrimSuffix((d%day).Truncate(time.Minute).String(), "0s"))
}

func constraintText(c *experiment.Constraint) string {
	text := c.MetricName
	if c.Min != nil {
		text = exact(*c.Min) + " ≤ " + text
	}
	if c.Max != nil {
		text += " ≤ " + exact(*c.Max)
	}
	return text
}

func (r *report) findBest() {
	o := r.spec.Objective
	t, ok := experiment.Best(r.Trials, r.spec)
	if !ok {
		r.NoBest = "No trial has a usable value of " + o.ObjectiveMetricName
		if len(r.spec.Constraints()) > 0 {
			r.NoBest = "No trial has a usable value of each objective and keeps the constraints"
		}
		if !r.Experiment.Status.Completed() {
			r.NoBest += " yet"
		}
		r.NoBest += "."
		return
	}
	r.Best = &best{Trial: t.Name, Number: t.Number, Metric: o.ObjectiveMetricName, Value: exact(r.value(&t, o.ObjectiveMetricName))}
	r.Best.Brief = r.headline(r.value(&t, o.ObjectiveMetricName))
	if o.Goal != nil {
		r.Best.Goal = "goal " + exact(*o.Goal) + ", not reached"
		if experiment.GoalReached(o, r.value(&t, o.ObjectiveMetricName)) {
			r.Best.Goal = "goal " + exact(*o.Goal) + ", reached"
		}
	}
	for _, name := range o.AdditionalMetricNames {
		text := r.metric(&t, name)
		if more := t.Observation.Beside(name, o); more != "" {
			text += " (" + more + ")"
		}
		r.Best.Metrics = append(r.Best.Metrics, pair{name, text})
	}
	for _, p := range t.Assignment {
		r.Best.Parameters = append(r.Best.Parameters, pair{p.Name, p.Value})
	}
}

// headline is the best value with six digits, and more where it takes them to tell it from the next best.
func (r *report) headline(best float64) string {
	text := exact(best)
	if len(text) <= 8 {
		return text
	}
	ranked := r.ranked()
	for digits := 6; digits < 17; digits++ {
		text = strconv.FormatFloat(best, 'g', digits, 64)
		if len(ranked) < 2 {
			return text
		}
		next := r.value(ranked[1], r.spec.Objective.ObjectiveMetricName)
		if next == best || strconv.FormatFloat(next, 'g', digits, 64) != text {
			return text
		}
	}
	return exact(best)
}

// judge says of an experiment that has succeeded by Katib's rules alone that it has no result.
func (r *report) judge() {
	if r.Best != nil || r.Experiment.Status.State() != experiment.Succeeded {
		return
	}
	usable := 0
	for i := range r.Trials {
		if s := r.Trials[i].State; s == experiment.TrialSucceeded || s == experiment.TrialEarlyStopped {
			usable++
		}
	}
	tally := experiment.NewTally(r.spec, r.Trials)
	r.State += " (" + experiment.Fruitless(usable, tally.Infeasible()) + ")"
	r.Look = "fruitless"
}

// value is a trial's value of a metric; NaN when there is none.
func (r *report) value(t *experiment.Trial, metric string) float64 { return r.spec.ValueOf(t)(metric) }

// metric is a trial's value of a metric as text; "" when there is none.
func (r *report) metric(t *experiment.Trial, name string) string {
	if v, ok := t.Observation.Value(name, r.spec.Objective); ok {
		return exact(v)
	}
	return ""
}

// result is a trial's value of a metric where it counts; false for one that failed or is not finite.
func (r *report) result(t *experiment.Trial, metric string) (float64, bool) {
	if t.State != experiment.TrialSucceeded && t.State != experiment.TrialEarlyStopped {
		return 0, false
	}
	v := r.value(t, metric)
	return v, finite(v)
}

func (r *report) feasible(t *experiment.Trial) bool { return r.spec.Feasible(r.spec.ValueOf(t)) }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func short(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// failure is a group of trials that ended without a usable result for what looks like the same cause.
type failure struct {
	State   experiment.TrialState
	Reason  string
	Message string // of the first
	Trials  string
}

// failures groups trials by their fate.
func failures(trials []experiment.Trial) (out []failure) {
	type group struct {
		first   *experiment.Trial
		numbers []string
	}
	var groups []*group
	index := map[string]*group{}
	for i := range trials {
		t := &trials[i]
		if t.State != experiment.TrialFailed && t.State != experiment.TrialMetricsUnavailable && t.Reason != tuner.ReasonDiverged {
			continue
		}
		key := t.Fate()
		g := index[key]
		if g == nil {
			g = &group{first: t}
			index[key], groups = g, append(groups, g)
		}
		g.numbers = append(g.numbers, strconv.FormatUint(t.Number, 10))
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(len(b.numbers), len(a.numbers)) })
	for _, g := range groups {
		f := failure{Reason: g.first.Reason, Message: g.first.Message, Trials: "trial " + g.numbers[0], State: g.first.State}
		if n := len(g.numbers); n > 1 {
			f.Trials = fmt.Sprintf("%d trials: %s", n, strings.Join(g.numbers[:min(20, n)], ", "))
		}
		if more := len(g.numbers) - 20; more > 0 {
			f.Trials += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, f)
	}
	return out
}
