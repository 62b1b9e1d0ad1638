package exchange

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// reread reads what was written.
func reread(t testing.TB, format string, text []byte, o Options) *Study {
	t.Helper()
	o.File, o.Name, o.Namespace = "file", "again", "default"
	s, err := Read(bytes.NewReader(text), format, o)
	if err != nil {
		t.Fatalf("%s: %v\n%s", format, err, text)
	}
	return s
}

// brief is what every format keeps of a trial.
type brief struct {
	Number  uint64
	Name    string // none is kept
	State   experiment.TrialState
	Pairs   []experiment.Pair
	Metrics map[string]string
	Best    bool
	Front   *bool
	Took    float64
}

func briefs(s *Study) []brief {
	out := make([]brief, len(s.Trials))
	for i, v := range s.verdicts() {
		t := &s.Trials[i]
		out[i] = brief{t.Number, t.Name, t.State, t.Assignment, map[string]string{}, v.best, v.front, 0}
		out[i].Took, _ = seconds(t)
		for _, m := range s.metrics() {
			if text := s.metricText(t, m); text != "" && !strings.HasPrefix(m, "constraint_") {
				out[i].Metrics[m] = text
			}
		}
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	front := &Study{Experiment: read(t, frontYAML)}
	for i, v := range [][3]string{{"0.5", "1", "9"}, {"0.6", "2", "10"}, {"0.9", "9", "10.5"}, {"0.3", "0.5", "1"}, {"NaN", "1", "9"}, {"-inf", "1", "20"}} {
		front.Trials = append(front.Trials, trial(uint64(i+1), "Succeeded", []string{"acc", v[0], "cost", v[1], "mem", v[2]}, "x", "0.5"))
	}
	for name, s := range map[string]*Study{"mixed": mixed(t), "front": front} {
		want := briefs(s)
		for i := range want {
			want[i].Name = ""
			if !want[i].State.Final() {
				want[i].State, want[i].Took = experiment.TrialKilled, 0
			}
		}
		for _, format := range []string{CSV, JSON, Journal} {
			t.Run(name+"/"+format, func(t *testing.T) {
				text := written(t, format, s)
				if got, err := Detect(text[:min(64, len(text))]); got != format {
					t.Errorf("detected %q (%v)", got, err)
				}
				again := reread(t, format, text, Options{Spec: &s.Experiment.Spec})
				got := briefs(again)
				if format == Journal { // has microseconds alone
					for i := range got {
						want[i].Took = got[i].Took
					}
				}
				if diff := cmp.Diff(got, want); diff != "" {
					t.Errorf("trials (-got +want):\n%s", diff)
				}
				if e := again.Experiment; e.Metadata.Name != "again" || !e.External() || *e.Spec.MaxTrialCount != int32(len(s.Trials)) {
					t.Errorf("experiment: %+v", e)
				}
				if format == JSON {
					if diff := cmp.Diff(len(again.Measured[1]), len(s.Measured[1])); diff != "" {
						t.Errorf("measurements (-got +want):\n%s", diff)
					}
				}
			})
		}
	}
}

// TestCurveSurvives has steps, NaN and an infinity.
func TestCurveSurvives(t *testing.T) {
	s := mixed(t)
	for _, format := range []string{JSON, Journal} {
		again := reread(t, format, written(t, format, s), Options{})
		var got []string
		for _, m := range again.Measured[1] {
			got = append(got, m.Metric+" "+exact(float64(m.Step))+" "+exact(m.Value)+" "+m.Text)
		}
		want := []string{"loss 0 0.9 0.9", "loss 10 NaN NaN", "loss 20 +Inf +Inf", "loss 30 0.30000000000000004 0.30000000000000004"}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", format, diff)
		}
	}
}

// TestOptunaWrites reads what the real Optuna wrote, see testdata/make.py.
func TestOptunaWrites(t *testing.T) {
	for _, format := range []string{Journal, SQLite} {
		t.Run(format, func(t *testing.T) {
			file := t.TempDir() + "/study"
			optuna(t, "make.py", file, format)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Detect(text[:64]); got != format {
				t.Errorf("detected %q (%v)", got, err)
			}
			isMade(t, format, text)
			hasTenths(t, format, text)
			if format == SQLite {
				hasLong(t, text)
			}
		})
	}
}

// hasTenths: Optuna computes the values of a grid in floating point, of which the grid's own are stored.
func hasTenths(t *testing.T, format string, text []byte) {
	t.Helper()
	if format == Journal && !bytes.Contains(text, []byte("0.30000000000000004")) {
		t.Error("Optuna wrote no value that is off its grid by rounding: the test needs other ones")
	}
	tenths := reread(t, format, text, Options{Study: "tenths"})
	if step := tenths.Experiment.Spec.Parameters[0].FeasibleSpace.Step; step != "0.1" || len(tenths.Trials) != 30 {
		t.Errorf("step %q, %d trials; want 0.1, 30", step, len(tenths.Trials))
	}
	for i := range tenths.Trials {
		if got := tenths.Trials[i].Assignment[0].Value; len(got) > len("0.1") {
			t.Errorf("trial %d: %s is no value of the grid", i+1, got)
		}
	}
}

// isMade asserts that a file has what testdata/make.py made.
func isMade(t *testing.T, format string, text []byte) {
	t.Helper()
	if _, err := Read(bytes.NewReader(text), format, Options{File: "f"}); err == nil || !strings.Contains(err.Error(), `name one with --study, of ["grown" "two" "long" "tenths"]`) {
		t.Errorf("two studies: %v", err)
	}
	grown := reread(t, format, text, Options{Study: "grown"})
	var got []string
	for _, p := range grown.Experiment.Spec.Parameters {
		f := p.FeasibleSpace
		line := strings.Join([]string{p.Name, p.ParameterType, f.Min, f.Max, f.Step, f.Distribution, strings.Join(f.List, "|")}, " ")
		if p.ActiveWhen != nil {
			line += " when " + p.ActiveWhen.Parameter + " " + strings.Join(p.ActiveWhen.Values, "|")
		}
		got = append(got, line)
	}
	want := []string{
		"lr double 1e-05 0.1  logUniform ", "batch discrete    uniform 16|32|64", "width int 1 100  uniform ", "depth int 2 8 2 uniform ",
		"fixed discrete    uniform 3", "flag categorical    uniform True|False|None|1", "kind categorical    uniform a|ü",
		"momentum double 0 1  uniform  when kind ü",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("search space (-got +want):\n%s", diff)
	}
	got = nil
	for _, b := range briefs(grown) {
		line := string(b.State) + " " + b.Metrics["acc"]
		if b.Best {
			line += " best"
		}
		got = append(got, line)
	}
	want = []string{"Succeeded 0.5", "Succeeded 0.75 best", "EarlyStopped ", "Failed ", "Killed ", "Succeeded +Inf"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("trials (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(grown.Notes, []string{
		`momentum is taken to be active while kind is one of ["ü"]: no trial says otherwise`,
		"trial 4 of the study is left out: it never had a value of batch",
	}); diff != "" {
		t.Errorf("notes (-got +want):\n%s", diff)
	}
	if n := len(grown.Measured[3]); n != 2 {
		t.Errorf("the pruned trial has %d intermediate values, want 2", n)
	}
	two := reread(t, format, text, Options{Study: "two"})
	if diff := cmp.Diff(two.Experiment.Spec.Objectives(), []experiment.FurtherObjective{{MetricName: "value_0", Type: "minimize"}, {MetricName: "value_1", Type: "maximize"}}); diff != "" {
		t.Errorf("objectives (-got +want):\n%s", diff)
	}
	if c := two.Experiment.Spec.Constraints(); len(c) != 1 || *c[0].Max != 0 {
		t.Errorf("constraints: %v", c)
	}
	want = []string{"0 false", "1 true", "2 true"}
	got = nil
	for i, b := range briefs(two) {
		got = append(got, exact(float64(i))+" "+boolText(b.Front))
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("front (-got +want):\n%s", diff)
	}
}

// hasLong asserts that a database has what is in several levels of pages, and values that do not fit into one.
func hasLong(t *testing.T, text []byte) {
	t.Helper()
	d, err := openDatabase(text)
	if err != nil {
		t.Fatal(err)
	}
	if kind := text[(d.tables["trial_params"].root-1)*d.page]; kind != 5 {
		t.Errorf("the root of trial_params is of kind %d: it shows no levels", kind)
	}
	long := reread(t, SQLite, text, Options{Study: "long"})
	if n := len(long.Trials); n != 60 {
		t.Fatalf("got %d trials, want 60", n)
	}
	for i := range long.Trials {
		if got, want := long.Trials[i].Assignment[0].Value, exact(float64(i)/2048); got != want {
			t.Fatalf("trial %d: got %s, want %s", i, got, want)
		}
	}
	if list := long.Experiment.Spec.Parameters[1].FeasibleSpace.List; len(list) != 2 || len(list[1]) != 9000 {
		t.Errorf("the long choice: %d choices", len(list))
	}
}

// TestParameterIsRenamed: Optuna takes any name for a parameter.
func TestParameterIsRenamed(t *testing.T) {
	const float = `"{\"name\": \"FloatDistribution\", \"attributes\": {\"low\": 0.0, \"high\": 1.0, \"step\": null, \"log\": false}}"`
	text := `{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}
{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00", "state": 1, "value": 0.5,` +
		`"params": {"a b": 0.25, "a_b": 0.5, "a=b;c": 0.75, "=": 1.0}, "distributions": {"a b": ` + float + `, "a_b": ` + float + `, "a=b;c": ` + float + `, "=": ` + float + `}}
`
	s := reread(t, Journal, []byte(text), Options{})
	want := []experiment.Pair{{Name: "a_b_2", Value: "0.25"}, {Name: "a_b", Value: "0.5"}, {Name: "a_b_c", Value: "0.75"}, {Name: "_", Value: "1"}}
	if got := s.Trials[0].Assignment; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	notes := strings.Join(s.Notes, "\n")
	for _, want := range []string{`parameter "a b" is called a_b_2 here`, `parameter "a=b;c" is called a_b_c here`, `parameter "=" is called _ here`} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes are %q, want %q among them", notes, want)
		}
	}
}

// TestDecimalComma: where cells are separated by semicolons numbers may have a comma before their decimals.
func TestDecimalComma(t *testing.T) {
	minimize := []experiment.FurtherObjective{{MetricName: "loss", Type: "minimize"}}
	s := reread(t, CSV, []byte("number;params.lr;metrics.loss;message\n1;0,5;1,25e-1;a 0,5\n2;0.75;-2,5;\n"), Options{Objectives: minimize})
	for i, want := range []struct{ lr, loss string }{{"0.5", "1.25e-1"}, {"0.75", "-2.5"}} {
		if got := &s.Trials[i]; got.Assignment[0].Value != want.lr || got.Observation.Metrics[0].Latest != want.loss {
			t.Errorf("trial %d: got %v, %v; want %v", i+1, got.Assignment, got.Observation.Metrics, want)
		}
	}
	if got := s.Trials[0].Message; got != "a 0,5" {
		t.Errorf("the message is %q: it is no number", got)
	}
}

// TestNoTrial: of a file that ends before its first trial nothing else is said.
func TestNoTrial(t *testing.T) {
	text := `{"op_code": 0, "worker_id": "w", "study_name": "s", "directions": [1]}` + "\n" + `{"op_code": 4, "worker_id": "w", "st`
	_, err := Read(strings.NewReader(text), Journal, Options{File: "j.log", Name: "n", Namespace: "default"})
	if err == nil || err.Error() != "j.log: it holds no trial" {
		t.Errorf("got %v, want that it holds no trial, alone", err)
	}
}

// TestCSVThatIsNotUTF8: who saves as Latin-1 is told where.
func TestCSVThatIsNotUTF8(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"cells":  {"params.opt,metrics.loss\nk\xe4se,1\nbrot,2\na,\xff3\n", "t.csv:2:1: byte 0xe4 is no UTF-8 text; save the file as UTF-8\nt.csv:4:2: byte 0xff is no UTF-8 text; save the file as UTF-8"},
		"titles": {"params.opt,metrics.l\xf6ss\nbrot,2\n", "t.csv:1:2: byte 0xf6 is no UTF-8 text; save the file as UTF-8"},
		"lines":  {"params.opt,metrics.loss\n\"a\nb\xe4\",1\nok,2\n", "t.csv:2:1: byte 0xe4 is no UTF-8 text; save the file as UTF-8"},
	} {
		goal := []experiment.FurtherObjective{{MetricName: "loss", Type: "minimize"}}
		_, err := Read(strings.NewReader(tt.text), CSV, Options{File: "t.csv", Name: "n", Namespace: "default", Objectives: goal})
		var faults experiment.Faults
		if !errors.As(err, &faults) || faults.Error() != tt.want {
			t.Errorf("%s: got %v\nwant %s", name, err, tt.want)
		}
	}
}

func TestFaultsOfCSV(t *testing.T) {
	text := "number,params.lr,params.drop,params.layers,params.width,params.batch,params.opt,params.momentum,metrics.loss,state,started\n" +
		"1,0.1,0.3,3,96,32.5,sgd,0.9,0.5,Succeeded,2026-01-01T00:00:00Z\n" +
		"2,7,0.35,3.5,96,33,SGD,,x,complet,yesterday\n" +
		"2,abc,0.3,3,96,1000,sgd,,,Succeeded,\n" +
		"4,0.1\n"
	_, err := Read(strings.NewReader(text), CSV, Options{File: "t.csv", Name: "n", Namespace: "default", Spec: &mixed(t).Experiment.Spec})
	var faults experiment.Faults
	if !errors.As(err, &faults) {
		t.Fatal(err)
	}
	want := `t.csv:3:2: params.lr: 7 is outside [0.00001, 1]
t.csv:3:3: params.drop: 0.35 is off the grid of step 0.2; the nearest value is 0.3
t.csv:3:4: params.layers: 3.5 is off the grid of step 1; the nearest value is 4
t.csv:3:6: params.batch: "33" is not in the list
t.csv:3:7: params.opt: "SGD" is not in the list
t.csv:3:9: metrics.loss: want a number, got "x"
t.csv:3:10: state: "complet" is no state; want one of Succeeded, Failed, Killed, EarlyStopped, MetricsUnavailable
t.csv:3:11: started: want a time such as 2026-03-01T12:00:00Z, got "yesterday"
t.csv:4:1: number: line 3 has trial 2, too
t.csv:4:2: params.lr: "abc" is no decimal number
t.csv:4:8: params.momentum: it has no value, and is active while opt is sgd
t.csv:4:10: state: it is Succeeded, and has no value of loss
t.csv:5:1: want 11 cells, got 2`
	if got := faults.Error(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestFlagsOfCSV: who names columns wrongly is told which flag is meant.
func TestFlagsOfCSV(t *testing.T) {
	const text = "lr,opt,acc\n0.1,a,1\n0.2,b,2\n"
	for name, tt := range map[string]struct {
		format     string
		parameters []string
		metric     string
		want       string
	}{
		"none":      {CSV, nil, "acc", "t.csv:1:1: nothing says which columns are parameters: name them with --parameters, as in --parameters NAME,NAME, or give the experiment with --spec"},
		"both":      {CSV, []string{"lr", "acc"}, "acc", "t.csv:1:3: acc: it is both a parameter (--parameters) and a metric (--objective); it can be one of them"},
		"near":      {CSV, []string{"lr"}, "ac", "t.csv:1:1: ac: no column stands for metric ac; --column TITLE=metrics.ac names one; did you mean acc?"},
		"no JSON":   {JSON, nil, "acc", "t.csv:1:1: it is no JSON: want the { of an experiment that tuned export wrote"},
		"all right": {CSV, []string{"lr", "opt"}, "acc", ""},
	} {
		goal := []experiment.FurtherObjective{{MetricName: tt.metric, Type: "maximize"}}
		_, err := Read(strings.NewReader(text), tt.format, Options{File: "t.csv", Name: "n", Namespace: "default", Objectives: goal, Parameters: tt.parameters})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %s\nwant %s", name, got, tt.want)
		}
	}
}

// TestColumnsOfOurs: no column of an exported table is called one that stands for nothing.
func TestColumnsOfOurs(t *testing.T) {
	text := "number,parent,algorithm,params.lr,metrics.loss\n1,,tpe,0.5,1\n2,1,tpe,0.75,2\n"
	s := reread(t, CSV, []byte(text), Options{Objectives: []experiment.FurtherObjective{{MetricName: "loss", Type: "minimize"}}})
	if len(s.Notes) > 0 {
		t.Errorf("notes: %q", s.Notes)
	}
}
