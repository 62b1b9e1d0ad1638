package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tuned-hpo/tuned/pkg/collector"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEnvironment(t *testing.T) {
	spec := trialdir.Spec{
		Namespace: "n", Experiment: "e", UID: "u", Trial: "t", Attempt: 2, Address: "unix:/s", Token: "secret", GPUs: []string{"3", "GPU-x"},
		Command:    trialdir.Command{Env: []string{"KEEP=1", "TUNED_TRIAL_UID=of another", "TUNED_PARAM_LR=old"}},
		Parameters: []trialdir.Parameter{{Name: "lr", Value: "0.1"}, {Name: "Batch-size.1", Value: "a=b"}},
	}
	got := environment(&spec, "/dir")
	slices.Sort(got)
	want := []string{
		"CUDA_VISIBLE_DEVICES=3,GPU-x", "KATIB_TRIAL_NAME=t", "KEEP=1", "KUBEFLOW_TRAINER_OPT_BATCH_SIZE_1=a=b",
		"KUBEFLOW_TRAINER_OPT_LR=0.1", "PYTHONUNBUFFERED=1", "TUNED_EXPERIMENT=n/e", `TUNED_PARAMS={"Batch-size.1":"a=b","lr":0.1}`,
		"TUNED_PARAMS_FILE=/dir/params.json", "TUNED_PARAM_BATCH_SIZE_1=a=b", "TUNED_PARAM_LR=0.1", "TUNED_REPORT_FILE=/dir/reports", "TUNED_SERVER=unix:/s",
		"TUNED_TOKEN=secret", "TUNED_TRIAL=t", "TUNED_TRIAL_NAME=t", "TUNED_TRIAL_UID=n/e/u/t/2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	spec.Command.Env = []string{"PYTHONUNBUFFERED="}
	if got := environment(&spec, "/dir"); !slices.Contains(got, "PYTHONUNBUFFERED=") || slices.Contains(got, "PYTHONUNBUFFERED=1") {
		t.Errorf("what the user set was changed: %q", got)
	}
}

func TestParams(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var all []trialdir.Parameter
	for i, value := range []string{"1", "-0.5", "1e-3", "007", "nan", "true", "", " 1", "a\"b\n", "12345678901234567890", "1.", "null", "[1]"} {
		all = append(all, trialdir.Parameter{Name: fmt.Sprintf("p%02d", i), Value: value})
	}
	if err := writeParams(root, all); err != nil {
		t.Fatal(err)
	}
	got, err := root.ReadFile(trialdir.ParamsFile)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"p00":1,"p01":-0.5,"p02":1e-3,"p03":"007","p04":"nan","p05":"true","p06":"","p07":" 1","p08":"a\"b\n","p09":12345678901234567890,"p10":"1.","p11":"null","p12":"[1]"}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", `a "b" c\d`, `a "b" c\\d`},
		{"escape code", "\x1b[31mred\a", `\x1b[31mred\a`},
		{"lines", "one\ntwo\rthree", `one\ntwo\rthree`},
		{"letters", "größe 模型", "größe 模型"},
		{"invalid", "a\xffb", `a\xffb`},
		{"direction", "a\u202eb", `a\u202eb`},
		{"NUL", "a\x00b", `a\x00b`},
		{"empty", "", ""},
	} {
		if got := printable(test.in); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestBoundedLog(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	random := rand.New(rand.NewPCG(1, 2))
	const length = 1000
	for _, lines := range []int{0, 1, 10, 100, 1000, 5000} {
		log, err := createLog(root, length)
		if err != nil {
			t.Fatal(err)
		}
		var all bytes.Buffer
		for i := range lines {
			fmt.Fprintf(&all, "line %d %s\n", i, strings.Repeat("x", random.IntN(60)))
		}
		for rest := all.Bytes(); len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(700))
			if wrote, err := log.Write(rest[:n]); wrote != n || err != nil {
				t.Fatalf("got %d and %v", wrote, err)
			}
			rest = rest[n:]
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := root.ReadFile(trialdir.LogFile)
		if err != nil {
			t.Fatal(err)
		}
		checkLog(t, got, all.Bytes(), length)
	}
}

// checkLog checks that a log is what was written, or its beginning and end with the right count of
// bytes between them.
func checkLog(t *testing.T, got, all []byte, length int) {
	t.Helper()
	if len(got) > 3*length+100 {
		t.Errorf("got %d bytes, want at most about %d", len(got), 3*length)
	}
	from := bytes.Index(got, []byte("\n["))
	if from < 0 {
		if !bytes.Equal(got, all) {
			t.Errorf("got %d bytes that are not the %d written", len(got), len(all))
		}
		return
	}
	var dropped int
	if _, err := fmt.Sscanf(string(got[from:]), "\n[%d bytes of the output were dropped here]\n", &dropped); err != nil {
		t.Fatal(err)
	}
	_, end, _ := bytes.Cut(got[from+1:], []byte("\n"))
	beginning := got[:from]
	if !bytes.HasPrefix(all, beginning) || !bytes.HasSuffix(all, end) || len(beginning)+len(end)+dropped != len(all) {
		t.Errorf("%d at the beginning, %d at the end and %d dropped are not the %d written", len(beginning), len(end), dropped, len(all))
	}
	if len(end) < length/2 || len(beginning) < length/2 {
		t.Errorf("got only %d and %d bytes of the beginning and the end", len(beginning), len(end))
	}
}

func TestPace(t *testing.T) {
	var p pace
	at := time.Unix(1000, 0)
	sample := func(text string) collector.Sample { return collector.Sample{Metric: "m", Text: text} }
	all := []collector.Sample{sample("1"), sample("2"), sample("3")}
	if got := p.admit(at, 3, all); len(got) != 3 {
		t.Errorf("got %v, want all that there is room for", got)
	}
	for _, text := range []string{"5", "nan", "9", "-4", "what", "7", "8"} {
		if got := p.admit(at, 3, []collector.Sample{sample(text)}); len(got) != 0 {
			t.Errorf("got %v without room", got)
		}
	}
	var got []string
	for _, s := range p.release() {
		got = append(got, s.Text)
	}
	if want := []string{"9", "-4", "8"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want the greatest, the least and the latest: %q", got, want)
	}
	if p.dropped != 4 {
		t.Errorf("%d of 7 are counted as dropped, want those that are not kept: 4", p.dropped)
	}
	if got := p.release(); len(got) != 0 {
		t.Errorf("got %v from nothing", got)
	}
	if got := p.admit(at.Add(time.Second), 3, all); len(got) != 3 {
		t.Errorf("got %v a second later, want room again", got)
	}
}

func TestNotesAreBounded(t *testing.T) {
	var out bytes.Buffer
	n := newNotes(&out)
	n.add("same")
	n.add("same")
	for i := range 10 * maxNotes {
		n.add("note %d\n", i)
	}
	if got := strings.Count(out.String(), "\n"); got != maxNotes+1 {
		t.Errorf("got %d lines, want %d", got, maxNotes+1)
	}
}
