// Package peers holds drivers of other optimizers, which are not in Go. Its test speaks their protocol
// without the bench.
package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

const (
	trials = 15 // most libraries draw ten points before they use a model
	flat   = `{"name":"lr","kind":"double","min":1e-6,"max":1,"log":true},
		{"name":"layers","kind":"int","min":1,"max":8,"step":1},
		{"name":"width","kind":"int","min":2,"max":500,"step":1,"log":true},
		{"name":"q","kind":"double","min":0,"max":1,"step":0.25},
		{"name":"batch","kind":"discrete","numbers":[16,32,64]},
		{"name":"opt","kind":"categorical","values":["adam","sgd","lion"]}`
	nested = flat + `,
		{"name":"momentum","kind":"double","min":0,"max":1,"parent":"opt","when":["sgd","lion"]},
		{"name":"warmup","kind":"double","min":0,"max":1,"parent":"batch","when":[16]}`
)

// ranges are the bounds of the numbers of both spaces, and the distance of their values where it is one.
var ranges = map[string]struct{ min, max, step float64 }{
	"lr": {1e-6, 1, 0}, "layers": {1, 8, 1}, "width": {2, 500, 1}, "q": {0, 1, 0.25},
	"momentum": {0, 1, 0}, "warmup": {0, 1, 0},
}

// families are all there are, and whether equal seeds give equal points. Slow ones take
// a minute or more.
var families = []struct {
	name          string
	repeats, slow bool
}{
	{"optuna", true, false},
	{"rustuna", true, false},
	{"hyperopt", true, false},
	{"nevergrad", true, false},
	{"pymoo", true, false},
	{"goptuna", false, false},
	{"skopt", true, true},
	{"smac", true, true},
	{"vizier", false, true},
	{"hebo", true, true},
	{"ax", true, true},
	{"cma", true, false},
	{"synetune", true, false},
}

// trains tells whether a peer is for trials that are trained epoch by epoch.
func trains(name string) bool {
	return slices.Contains([]string{"optuna-sha", "optuna-hyperband"}, name) || strings.HasPrefix(name, "synetune-")
}

func TestPeers(t *testing.T) {
	text, err := exec.CommandContext(t.Context(), "./run", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	installed := strings.Fields(string(text))
	for _, f := range families {
		var names []string
		for _, name := range installed {
			if family, _, _ := strings.Cut(name, "-"); family == f.name {
				names = append(names, name)
			}
		}
		// Which peers there are is for the machine to say; one family must be among them.
		switch {
		case len(names) == 0 && f.name != "optuna":
			t.Logf("bench/peers/install %s was not run", f.name)
			continue
		case f.slow && os.Getenv("TUNED_TEST_PEERS") != "all":
			t.Logf("%s takes minutes; TUNED_TEST_PEERS=all runs it", f.name)
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if len(names) == 0 {
				testenv.Skip(t, "bench/peers/install optuna was not run")
			}
			for _, name := range names {
				t.Run(name, func(t *testing.T) {
					if trains(name) {
						checkTraining(t, name)
					} else {
						check(t, name, f.repeats)
					}
				})
			}
		})
	}
}

// check lets a peer work on both spaces, one after the other in one process.
func check(t *testing.T, name string, repeats bool) {
	p := open(t, name)
	var before []any
	for run := range 2 {
		points := p.run(t, flat)
		if run == 1 && repeats && !reflect.DeepEqual(points, before) {
			t.Errorf("the same seed gave %v, then %v", before, points)
		}
		before = points
	}
	if len(before) == 0 {
		t.Error("does not work on a space without conditions")
	}
	p.run(t, nested)
	for _, line := range []string{`{"op":"ask","id":1}`, `{"op":"no such"}`, `not JSON`} {
		if a := p.call(t, line); a["error"] == nil {
			t.Errorf("%s: got %v, want an error", line, a)
		}
	}
	if a := p.call(t, `{"op":"hello"}`); a["name"] != name {
		t.Errorf("after errors: got %v, want the name %s", a, name)
	}
}

// checkTraining lets a peer train trials of nine epochs, two at a time, of which it must stop some early and let some end.
func checkTraining(t *testing.T, name string) {
	p := open(t, name)
	if a := p.call(t, fmt.Sprintf(`{"op":"start","seed":7,"budget":9,"objectives":1,"constraints":0,"parallel":2,"space":[%s]}`, flat)); a["unsupported"] == nil {
		t.Errorf("without epochs: got %v, want why it cannot", a)
	}
	var before []any
	for run := range 2 {
		points, ended := p.train(t)
		if run == 1 && !reflect.DeepEqual(points, before) {
			t.Errorf("the same seed gave %v, then %v", before, points)
		}
		if before = points; ended == 0 || ended == len(points) {
			t.Errorf("%d of %d trials were trained to the end", ended, len(points))
		}
	}
}

// train is one run, in which each trial is reported an epoch in turn. It returns the points, and how many trials had all epochs.
func (p *process) train(t *testing.T) (points []any, ended int) {
	t.Helper()
	const epochs = 9
	start := p.call(t, fmt.Sprintf(`{"op":"start","seed":7,"budget":9,"objectives":1,"constraints":0,"parallel":2,"space":[%s],"epochs":%d}`, flat, epochs))
	if start["ok"] != true {
		t.Fatalf("start: got %v", start)
	}
	epoch := map[int]int{}
	for len(points) < 2*trials || len(epoch) > 0 {
		for len(epoch) < 2 && len(points) < 2*trials {
			id := len(points) + 1
			answer := p.call(t, fmt.Sprintf(`{"op":"ask","id":%d}`, id))
			point, ok := answer["point"].(map[string]any)
			if !ok {
				t.Fatalf("ask %d: got %v", id, answer)
			}
			inSpace(t, point, false)
			points, epoch[id] = append(points, point), 0
		}
		for id := range 2*trials + 1 {
			e, running := epoch[id]
			if !running {
				continue
			}
			e++
			loss := math.Abs(math.Log10(points[id-1].(map[string]any)["lr"].(float64))+3) + 1/float64(e)
			stop, ok := p.call(t, fmt.Sprintf(`{"op":"report","id":%d,"epoch":%d,"loss":%v}`, id, e, loss))["stop"].(bool)
			if epoch[id] = e; !ok || e == epochs && !stop {
				t.Fatalf("trial %d goes on after epoch %d", id, e)
			}
			if stop {
				delete(epoch, id)
			}
			if e == epochs {
				ended++
			}
		}
	}
	p.call(t, `{"op":"end"}`)
	return points, ended
}

// TestGroupsWithoutConditions wants optuna-tpe-group to be optuna-tpe on a space without conditions,
// where the bench leaves it out.
func TestGroupsWithoutConditions(t *testing.T) {
	text, err := exec.CommandContext(t.Context(), "./run", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(strings.Fields(string(text)), "optuna-tpe") {
		testenv.Skip(t, "bench/peers/install optuna was not run")
	}
	tpe, groups := open(t, "optuna-tpe"), open(t, "optuna-tpe-group")
	if a, b := tpe.run(t, flat), groups.run(t, flat); !reflect.DeepEqual(a, b) {
		t.Errorf("without groups: %v, with groups: %v", a, b)
	}
	if a, b := tpe.run(t, nested), groups.run(t, nested); reflect.DeepEqual(a, b) {
		t.Errorf("with conditions both give %v", a)
	}
}

// process is a running peer.
type process struct {
	in  io.Writer
	out *bufio.Reader
}

func open(t *testing.T, name string) *process {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "./run", name) // it ends with its input
	var log strings.Builder
	cmd.Stderr = &log
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v: %s", name, err, log.String())
		}
	})
	return &process{in, bufio.NewReader(out)}
}

// call sends one line and returns the answer, which must be one line of JSON.
func (p *process) call(t *testing.T, line string) map[string]any {
	t.Helper()
	if _, err := io.WriteString(p.in, strings.Join(strings.Fields(line), " ")+"\n"); err != nil {
		t.Fatal(err)
	}
	text, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: answered %q: %v", line, text, err)
	}
	return answer
}

// run is one run of the peer; every fifth trial fails, and one is always pending. It returns the
// points, or none if the peer answers that it cannot work on the space.
func (p *process) run(t *testing.T, space string) []any {
	t.Helper()
	start := p.call(t, fmt.Sprintf(`{"op":"start","seed":7,"budget":%d,"objectives":1,"constraints":0,"parallel":2,"space":[%s]}`, trials, space))
	if why, ok := start["unsupported"].(string); ok && why != "" && space == nested {
		t.Logf("unsupported: %s", why)
		return nil
	}
	if start["ok"] != true {
		t.Fatalf("start: got %v", start)
	}
	var points []any
	for id := 1; id <= trials; id++ {
		answer := p.call(t, fmt.Sprintf(`{"op":"ask","id":%d}`, id))
		point, ok := answer["point"].(map[string]any)
		if !ok {
			t.Fatalf("ask %d: got %v", id, answer)
		}
		inSpace(t, point, space == nested)
		points = append(points, point)
		if id > 1 {
			p.tell(t, id-1, points[id-2].(map[string]any))
		}
	}
	p.call(t, `{"op":"end"}`)
	return points
}

func (p *process) tell(t *testing.T, id int, point map[string]any) {
	t.Helper()
	losses := "null"
	if id%5 > 0 {
		losses = fmt.Sprintf("[%v]", math.Abs(math.Log10(point["lr"].(float64))+3)+math.Abs(point["layers"].(float64)-3))
	}
	if a := p.call(t, fmt.Sprintf(`{"op":"tell","id":%d,"losses":%s,"constraints":[]}`, id, losses)); a["ok"] != true {
		t.Fatalf("tell %d: got %v", id, a)
	}
}

// inSpace checks the values of a point, and which there are.
func inSpace(t *testing.T, point map[string]any, conditions bool) {
	t.Helper()
	want := []string{"batch", "layers", "lr", "opt", "q", "width"}
	if conditions && slices.Contains([]any{"sgd", "lion"}, point["opt"]) {
		want = append(want, "momentum")
	}
	if conditions && point["batch"] == 16.0 {
		want = append(want, "warmup")
	}
	for _, name := range want {
		r, number := ranges[name]
		v, ok := point[name].(float64)
		onGrid := r.step == 0 || math.Mod(v-r.min, r.step) == 0
		if number && (!ok || v < r.min || v > r.max || !onGrid) {
			t.Errorf("%s = %v is not in the space", name, point[name])
		}
	}
	if !slices.Contains([]any{16.0, 32.0, 64.0}, point["batch"]) || !slices.Contains([]any{"adam", "sgd", "lion"}, point["opt"]) || len(point) != len(want) {
		t.Errorf("point %v is not in the space; want %v", point, want)
	}
}
