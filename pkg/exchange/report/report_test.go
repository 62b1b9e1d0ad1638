package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// hostile is text that would break out of wherever it stands unescaped.
const hostile = `</title></svg></style><script>alert(1)</script><img src=x onerror=alert(2)>"'&` + "`"

// study is an experiment of so many trials in so many parameters, every kind among them, of which some fail.
func study(t testing.TB, trials, parameters int, tuned string) Input {
	t.Helper()
	var b strings.Builder
	b.WriteString("apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: page}\nspec:\n" +
		"  objective: {type: minimize, goal: 0.001, objectiveMetricName: loss, additionalMetricNames: [size]}\n" +
		"  algorithm: {algorithmName: bayesianoptimization}\n  parameters:\n")
	for k := range parameters {
		kind := []string{
			`parameterType: double, feasibleSpace: {min: "0", max: "1"}`,
			`parameterType: double, feasibleSpace: {min: "1e-5", max: "1", distribution: logUniform}`,
			`parameterType: int, feasibleSpace: {min: "1", max: "9"}`,
			`parameterType: categorical, feasibleSpace: {list: [a, "<b>bold</b>", "` + strings.Repeat("long ", 9) + `"]}`,
		}[k%4]
		fmt.Fprintf(&b, "    - {name: p%d, %s}\n", k, kind)
	}
	b.WriteString(tuned)
	r := experiment.Read("page.yaml", []byte(b.String()), experiment.Options{})
	if len(r.Faults) > 0 {
		t.Fatal(r.Faults)
	}
	in := Input{Experiment: r.Experiment, Now: noon, NoModel: "There is no model."}
	for n := range trials {
		in.Trials = append(in.Trials, run(n, parameters))
	}
	in.Experiment.Status = experiment.NewStatus(noon)
	in.Experiment.Status = experiment.NextStatus(in.Experiment, in.Trials, false, noon)
	return in
}

func run(n, parameters int) experiment.Trial {
	const golden = 0.6180339887498949
	t := experiment.Trial{
		Number: uint64(n) + 1, Name: fmt.Sprintf("page-%d", n), Attempt: 1, State: experiment.TrialSucceeded, FinishNo: uint64(n) + 1,
		Created: noon, Started: noon, Finished: noon.Add(time.Duration(n) * time.Second),
	}
	loss := 0.01
	for k := range parameters {
		_, u := math.Modf(float64(n*7+k*3+1) * golden)
		value := []string{exact(u), exact(math.Pow(10, -5*u)), fmt.Sprint(1 + int(9*u)), []string{"a", "<b>bold</b>", strings.Repeat("long ", 9)}[int(3*u)]}[k%4]
		t.Assignment = append(t.Assignment, experiment.Pair{Name: fmt.Sprintf("p%d", k), Value: value})
		loss += (u - 0.5) * (u - 0.5)
	}
	for _, m := range []struct {
		name  string
		value float64
	}{{"loss", loss}, {"size", float64(n % 17)}} {
		v := exact(m.value)
		t.Observation.Metrics = append(t.Observation.Metrics, experiment.Metric{Name: m.name, Min: v, Max: v, Latest: v})
	}
	if n%11 == 5 {
		t.State, t.Observation, t.Reason, t.Message = experiment.TrialFailed, experiment.Observation{}, "ExitCode", fmt.Sprintf("line %d of %s: %s", n, t.Name, hostile)
	}
	return t
}

// written writes a report and checks what holds for each: it is of one piece, loads nothing, and draws only
// where numbers say.
func written(t testing.TB, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, in); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, banned := range []string{"<script", "<img", "http:", "https:", "@import", "url(", "<iframe", "<link rel=\"stylesheet"} {
		if i := strings.Index(strings.ToLower(text), banned); i >= 0 {
			t.Errorf("%q at %s", banned, text[max(0, i-80):min(len(text), i+80)])
		}
	}
	if strings.Contains(text, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1) {
		wellFormed(t, svg)
	}
	return text
}

// wellFormed checks an SVG as XML, and that its lengths are numbers.
func wellFormed(t testing.TB, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in %.300s", err, svg)
		}
		start, _ := token.(xml.StartElement)
		for _, a := range start.Attr {
			if name := a.Name.Local; (name == "d" || name == "x" || name == "y" || name == "cx" || name == "cy") && strings.ContainsAny(a.Value, "NaIn") {
				t.Fatalf("%s=%.80q in %.300s", name, a.Value, svg)
			}
		}
	}
}

const several = `  tuned:
    objectives: [{metricName: size, type: maximize}]
    constraints: [{metricName: size, max: 12}]
`

func TestPages(t *testing.T) {
	model := study(t, 60, 5, "")
	m, err := tuner.NewModel(model.Experiment, model.Trials, builtin.Registry())
	if err != nil {
		t.Fatal(err)
	}
	model.Model = &m
	odd := study(t, 6, 2, "")
	for i, v := range []string{"NaN", "+Inf", "-Inf", "1e308", "-1e308", "0"} {
		odd.Trials[i].State = experiment.TrialSucceeded
		odd.Trials[i].Observation.Metrics = []experiment.Metric{{Name: "loss", Min: v, Max: v, Latest: v}}
	}
	running := study(t, 3, 2, "")
	running.Trials[2].State, running.Trials[2].Observation = experiment.TrialRunning, experiment.Observation{}
	for name, tt := range map[string]struct {
		in   Input
		want []string
	}{
		"nothing yet":      {study(t, 0, 2, ""), []string{"No trial has been created yet.", "There is no trial yet.", "No trial has a usable value of loss yet.", ">Created<"}},
		"one trial":        {study(t, 1, 1, ""), []string{"<h1>page <small>default</small></h1>", "There is no model.", "loss = 0.0", "goal 0.001, not reached"}},
		"running":          {running, []string{"2 Succeeded, 1 Running"}},
		"with a model":     {model, []string{"Importance: ", `class="band"`, `class="span"`, "while the others are as in p0 = "}},
		"several":          {study(t, 40, 4, several), []string{"Pareto front", "size ≤ 12", "others are hollow", "dots hollow"}},
		"not finite":       {odd, []string{"-1e&#43;308"}},
		"none is feasible": {study(t, 3, 2, "  tuned: {constraints: [{metricName: size, max: -1}]}\n"), []string{"keeps the constraints yet"}},
		"failures":         {study(t, 40, 2, ""), []string{"Failed: ExitCode", "(4 trials: 6, 17, 28, 39)", "&lt;script&gt;alert(1)&lt;/script&gt;"}},
		"many":             {study(t, 500, 2, ""), []string{"The best 200 of 500 trials. Numbers are shortened, and whole where one points.", "The best 300 of 455 trials with a result are shown."}},
	} {
		t.Run(name, func(t *testing.T) {
			text := written(t, tt.in)
			for _, want := range tt.want {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q", want)
				}
			}
		})
	}
}

// TestAllFailed has a page that does not call it a success, and plots nothing where there is nothing.
func TestAllFailed(t *testing.T) {
	for name, tuned := range map[string]string{"one objective": "  maxTrialCount: 12\n", "several": "  maxTrialCount: 12\n" + several} {
		t.Run(name, func(t *testing.T) {
			in := study(t, 12, 2, tuned)
			for i := range in.Trials {
				in.Trials[i].State, in.Trials[i].Observation = experiment.TrialFailed, experiment.Observation{}
			}
			in.Experiment.Status = experiment.NextStatus(in.Experiment, in.Trials, true, noon)
			text := written(t, in)
			for _, want := range []string{`<span class="state fruitless">Succeeded (no trial succeeded)</span>`, "No trial has a usable value of ", "No trial has a value to plot.", "<strong>Failed"} {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			for _, banned := range []string{" yet.", "<figure", `class="edge"`} {
				if strings.Contains(text, banned) {
					t.Errorf("it has %q", banned)
				}
			}
		})
	}
}

// TestHostile puts text that breaks out of HTML everywhere.
func TestHostile(t *testing.T) {
	in := study(t, 12, 4, several)
	e := in.Experiment
	e.Metadata.Name, e.Metadata.Namespace = hostile, hostile
	e.Spec.Objective.ObjectiveMetricName, e.Spec.Objective.AdditionalMetricNames = hostile, []string{hostile + "2"}
	e.Spec.Objective.MetricStrategies = nil
	e.Spec.Algorithm.AlgorithmName = hostile
	e.Spec.Tuned.Webhooks = []experiment.Webhook{{URL: "https://hooks.example/secret"}}
	e.Spec.Parameters[3].FeasibleSpace.List[0], e.Spec.Parameters[3].Name = hostile, hostile
	e.Status.Conditions[0].Reason, e.Status.Conditions[0].Message = hostile, hostile
	for i := range in.Trials {
		trial := &in.Trials[i]
		trial.Name, trial.Reason, trial.State = hostile, hostile, experiment.TrialSucceeded
		trial.Assignment[3] = experiment.Pair{Name: hostile, Value: hostile}
		trial.Observation.Metrics = []experiment.Metric{{Name: hostile, Min: "1", Max: "1", Latest: "1"}, {Name: "size", Min: "1", Max: "1", Latest: "1"}}
	}
	text := written(t, in)
	if strings.Contains(text, "secret") {
		t.Error("the address of a webhook is in it")
	}
	if n := strings.Count(text, "&lt;script&gt;"); n < 20 {
		t.Errorf("the hostile text is there %d times, escaped: too few to have been everywhere", n)
	}
}

// TestSize has the thousand trials in twenty parameters that a page must hold below a megabyte, and shows that it
// does not grow with more.
func TestSize(t *testing.T) {
	for _, tt := range []struct{ trials, parameters int }{{1000, 20}, {20000, 6}} {
		in := study(t, tt.trials, tt.parameters, several)
		n := len(written(t, in))
		t.Logf("%d trials in %d parameters: %d bytes", tt.trials, tt.parameters, n)
		if n >= 1<<20 {
			t.Errorf("%d trials in %d parameters: %d bytes, want less than %d", tt.trials, tt.parameters, n, 1<<20)
		}
	}
}

// TestBandsEndWithTheirAxis wants every point of a slice drawn, its band about its middle, also where an end of the
// band is not on the axis.
func TestBandsEndWithTheirAxis(t *testing.T) {
	nan := tuner.Value(math.NaN()) // what JSON has for an infinity
	for name, low := range map[string]tuner.Value{"zero": 0, "negative": -3, "infinite": nan, "below the axis": 1e-9} {
		t.Run(name, func(t *testing.T) {
			y := newScale([]float64{0.001, 10}, 200, 0)
			if !y.log {
				t.Fatal("the axis is not logarithmic")
			}
			x := dial{scale: scale{low: 0, high: 2, from: 0, to: 100}}
			slice := []tuner.ModelPoint{
				{Value: "0", Band: tuner.Band{Mean: 1, Low: 0.5, High: 2}},
				{Value: "1", Band: tuner.Band{Mean: 0.01, Low: low, High: 1}},
				{Value: "2", Band: tuner.Band{Mean: 2, Low: 1, High: nan}},
			}
			p, r := newPlot(330, 220), &report{}
			r.drawSlice(p, slice, &x, y)
			if len(p.Marks) != 2 || p.Marks[0].Class != "band" || p.Marks[1].Class != "middle" {
				t.Fatalf("got %+v, want a band and its middle", p.Marks)
			}
			middle := line([][2]float64{{0, y.at(1)}, {50, y.at(0.01)}, {100, y.at(2)}})
			band := line([][2]float64{{0, y.at(2)}, {50, y.at(1)}, {100, 0}, {100, y.at(1)}, {50, 200}, {0, y.at(0.5)}}) + "Z"
			if p.Marks[0].Path != band || p.Marks[1].Path != middle {
				t.Errorf("got %s and %s, want %s and %s", p.Marks[0].Path, p.Marks[1].Path, band, middle)
			}
		})
	}
}

func TestScale(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		log    bool
		ticks  string
	}{
		"empty":     {nil, false, "0 0.2 0.4 0.6 0.8 1"},
		"one":       {[]float64{5}, false, "4.6 4.8 5 5.2 5.4"},
		"zero":      {[]float64{0}, false, "-1 -0.5 0 0.5 1"},
		"narrow":    {[]float64{1, 2}, false, "1 1.2 1.4 1.6 1.8 2"},
		"wide":      {[]float64{1e-5, 1}, true, "0.0001 0.01 1"},
		"two":       {[]float64{1, 100}, true, "1 10 100"},
		"negative":  {[]float64{-1e6, 1}, false, "-1e+06 -8e+05 -6e+05 -4e+05 -2e+05 0"},
		"NaN":       {[]float64{math.NaN(), 1, math.Inf(1), 2}, false, "1 1.2 1.4 1.6 1.8 2"},
		"widest":    {[]float64{-math.MaxFloat64, math.MaxFloat64}, false, "-1.798e+308 1.798e+308"},
		"subnormal": {[]float64{5e-324, 1e-300}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScale(tt.values, 0, 100)
			if s.log != tt.log {
				t.Errorf("log: got %t, want %t", s.log, tt.log)
			}
			var words []string
			for _, tick := range s.ticks(5) {
				words = append(words, tick.Text)
			}
			if got := strings.Join(words, " "); got != tt.ticks && tt.ticks != "" {
				t.Errorf("ticks: got %s, want %s", got, tt.ticks)
			}
			for _, v := range tt.values {
				if at := s.at(v); finite(v) && !(at >= 0 && at <= 100) {
					t.Errorf("%v is at %v", v, at)
				}
			}
		})
	}
}
