package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/runnertest"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// texts returns the texts of what a trial measured.
func texts(t *testing.T, h runnertest.Harness, spec trialrunner.Spec) (out []string) {
	t.Helper()
	left, err := h.Runner.Leftover(t.Context(), spec.Experiment, spec.Trial, spec.Attempt, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range left {
		out = append(out, m.Text)
	}
	return out
}

func kind(k experiment.CollectorKind, source *experiment.MetricsSource) experiment.MetricsCollectorSpec {
	return experiment.MetricsCollectorSpec{Collector: &experiment.Collector{Kind: k}, Source: source}
}

//nolint:tparallel // the subtests share a runner, which ends with this function
func TestCollectFiles(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	absolute := filepath.Join(t.TempDir(), "made", "by", "the agent", "m.log")
	for i, test := range []struct {
		name, path, format, script string
		filters, want              []string
	}{
		{"text, folder made", absolute, "TEXT", `echo loss=0.5 > "$1"; echo loss=9; printf loss=0.25 >> "$1"`, nil, []string{"0.5", "0.25"}},
		{"relative path", "m.log", "TEXT", `echo loss=0.5 > m.log`, nil, []string{"0.5"}},
		{"filter", "f.log", "TEXT", `echo "eval loss is 7" > f.log`, []string{`(loss) is (\d+)`}, []string{"7"}},
		{"JSON", "m.json", "JSON", `echo '{"loss": 0.5, "step": 3}' > m.json; echo 'loss=1' >> m.json; echo '{"loss": "0.25"}' >> m.json`, nil, []string{"0.5", "0.25"}},
		{"no file", "none.log", "TEXT", `echo loss=1`, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := h.Script(fmt.Sprintf("file-%d", i), test.script, test.path)
			spec.Collector = kind(experiment.File, &experiment.MetricsSource{
				FileSystemPath: &experiment.FileSystemPath{Path: test.path, Format: test.format},
				Filter:         &experiment.Filter{MetricsFormat: test.filters},
			})
			h.Start(t, spec)
			w := h.End(t, spec)
			if got := texts(t, h, spec); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q; %+v", got, test.want, w)
			}
			if (w.Exit.Near == "") != (len(test.want) > 0) {
				t.Errorf("got near %q", w.Exit.Near)
			}
		})
	}
}

func TestCollectCustom(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	spec := h.Script("custom", `echo loss=1; for i in 1 2 3; do echo "value $i" >> own.log; done`)
	spec.Collector = kind(experiment.Custom, nil)
	spec.Collector.Collector.CustomCollector = map[string]any{
		"image":   "own",
		"command": []any{"sh", "-c", `touch own.log; tail -n +1 -f own.log | sed -u 's/value /loss=/'`},
	}
	h.Start(t, spec)
	w := h.End(t, spec)
	if got := texts(t, h, spec); !slices.Equal(got, []string{"1", "2", "3"}) || w.Exit.Reason != "Completed" {
		t.Errorf("got %q and %+v, want what the collector printed", got, w)
	}
}

func TestCollectPush(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	spec := h.Script("push", "echo loss=1")
	spec.Collector = kind(experiment.Push, nil)
	h.Start(t, spec)
	if w := h.End(t, spec); w.LastSeq != 0 {
		t.Errorf("got %+v, want nothing collected", w)
	}
}

// TestCollectReports: what the command reports through its file counts whatever the collector is, also of
// a command that is killed, with nobody to report to.
func TestCollectReports(t *testing.T) {
	t.Parallel()
	const script = `report() { printf '\n{"step": %s, "metric": "%s", "text": "%s"}\n' "$1" "$2" "$3" >> "$TUNED_REPORT_FILE"; }
		report 1 loss nan; report 2 other inf; printf '\n{"step": 3, "metr' >> "$TUNED_REPORT_FILE"
		report 4 loss -inf; echo 'no report' >> "$TUNED_REPORT_FILE"; report 5 loss 0.5; kill -KILL $$`
	for _, k := range []experiment.CollectorKind{experiment.Push, experiment.StdOut} {
		_, h := opened(t, "unix:/nobody")
		spec := h.Script("reports", script)
		spec.Collector = kind(k, nil)
		h.Start(t, spec)
		w := h.End(t, spec)
		if got := texts(t, h, spec); !slices.Equal(got, []string{"nan", "inf", "-inf", "0.5"}) || w.Exit.Reason != "Signal" {
			t.Errorf("%s: got %q and %+v, want what was reported", k, got, w.Exit)
		}
	}
}

// TestReportsAreProgress: under Push the limit on silence begins with the first report, and each one renews it.
func TestReportsAreProgress(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	spec := h.Script("progress", `sleep 4; for i in 1 2 3 4; do echo '{"metric": "loss", "text": "'$i'"}' >> "$TUNED_REPORT_FILE"; sleep 1; done; exec sleep 600`)
	spec.Collector, spec.Limits.Progress = kind(experiment.Push, nil), 3*time.Second
	h.Start(t, spec)
	w := h.End(t, spec)
	if w.Exit.Reason != "NoProgress" || w.LastSeq != 4 {
		t.Errorf("got %+v after %d reports, want an end for silence after 4", w.Exit, w.LastSeq)
	}
}

func TestCollectPage(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var scrapes atomic.Int32
	stop := filepath.Join(t.TempDir(), "stop")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// Twice the same value: a gauge that stays is one measurement.
		n := scrapes.Add(1)
		fmt.Fprintf(w, "# TYPE loss gauge\nloss %d\n", (n+1)/2)
		if n == 4 {
			_ = os.WriteFile(stop, nil, 0o600)
		}
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	_, h := opened(t, "unix:/nobody")
	spec := h.Script("page", `while [ ! -e "$1" ]; do sleep 0.05; done`, stop)
	spec.Collector = kind(experiment.PrometheusMetric, &experiment.MetricsSource{
		HTTPGet: &experiment.HTTPGet{Path: "/metrics", Port: float64(listener.Addr().(*net.TCPAddr).Port)},
	})
	h.Start(t, spec)
	h.End(t, spec)
	if got := texts(t, h, spec); len(got) < 2 || !slices.Equal(got[:2], []string{"1", "2"}) {
		t.Errorf("got %q, want 1 and 2, each once", got)
	}
}

// event is a record of an event file with one scalar.
func event(step uint64, value float32) []byte {
	var scalar, summary, out []byte
	scalar = protowire.AppendTag(scalar, 1, protowire.BytesType)
	scalar = protowire.AppendString(scalar, "loss")
	scalar = protowire.AppendTag(scalar, 2, protowire.Fixed32Type)
	scalar = protowire.AppendFixed32(scalar, math.Float32bits(value))
	summary = protowire.AppendTag(summary, 1, protowire.BytesType)
	summary = protowire.AppendBytes(summary, scalar)
	out = protowire.AppendTag(out, 1, protowire.Fixed64Type)
	out = protowire.AppendFixed64(out, math.Float64bits(1e9+float64(step)))
	out = protowire.AppendTag(out, 2, protowire.VarintType)
	out = protowire.AppendVarint(out, step)
	out = protowire.AppendTag(out, 5, protowire.BytesType)
	return protowire.AppendBytes(out, summary)
}

// record frames an event as TFRecord does.
func record(data []byte) []byte {
	sum := func(b []byte) uint32 {
		c := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		return (c>>15 | c<<17) + 0xa282ead8
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	out = binary.LittleEndian.AppendUint32(out, sum(out))
	out = append(out, data...)
	return binary.LittleEndian.AppendUint32(out, sum(data))
}

func TestCollectEvents(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	source := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(source, append(record(event(1, 0.5)), record(event(2, 0.25))...), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "tf")
	spec := h.Script("events", `cp "$1" "$2/events.out.tfevents.1"`, source, dir)
	spec.Collector = kind(experiment.TensorFlowEvent, &experiment.MetricsSource{FileSystemPath: &experiment.FileSystemPath{Path: dir}})
	h.Start(t, spec)
	w := h.End(t, spec)
	if got := texts(t, h, spec); !slices.Equal(got, []string{"0.5", "0.25"}) {
		t.Errorf("got %q and %+v, want both scalars", got, w)
	}
}

// TestEventsOfAPredecessor has trials write a file of the same name one after the other, as writers do
// that name it by the second.
func TestEventsOfAPredecessor(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	source, dir := t.TempDir(), t.TempDir()
	for i, test := range []struct {
		name, script string
		events       [][]byte
		want         []string
	}{
		{"first", `cat "$1" > "$2"`, [][]byte{record(event(1, 1)), record(event(2, 2))}, []string{"1", "2"}},
		{"longer", `cat "$1" > "$2"`, [][]byte{record(event(1, 3)), record(event(2, 4)), record(event(3, 5))}, []string{"3", "4", "5"}},
		{"as long", `cat "$1" > "$2"`, [][]byte{record(event(1, 6)), record(event(2, 7)), record(event(3, 8))}, []string{"6", "7", "8"}},
		{"shorter", `cat "$1" > "$2"`, [][]byte{record(event(1, 9))}, []string{"9"}},
		{"the same in another file", `cp "$1" "$2.new"; mv "$2.new" "$2"`, [][]byte{record(event(1, 9))}, []string{"9"}},
		{"appended", `cat "$1" >> "$2"`, [][]byte{record(event(2, 10))}, []string{"10"}},
	} {
		if err := os.WriteFile(filepath.Join(source, test.name), bytes.Join(test.events, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		spec := h.Script(fmt.Sprint("events-", i), test.script, filepath.Join(source, test.name), filepath.Join(dir, "events.out.tfevents.1"))
		spec.Collector = kind(experiment.TensorFlowEvent, &experiment.MetricsSource{FileSystemPath: &experiment.FileSystemPath{Path: dir}})
		h.Start(t, spec)
		w := h.End(t, spec)
		if got := texts(t, h, spec); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q; %+v", test.name, got, test.want, w)
		}
	}
}

// TestCannotStart runs a file that the kernel takes for no program.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	_, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "train"), []byte("print(1)\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	spec := h.Trial("noexec", "./train")
	spec.Local.Dir = dir
	h.Start(t, spec)
	w := h.End(t, spec)
	if w.Exit.Reason != "CannotStart" || w.Exit.Code != -1 || !strings.Contains(w.Exit.Message, `"./train"`) || !strings.Contains(w.Exit.Message, dir) {
		t.Errorf("got %+v, want CannotStart with program and folder", w.Exit)
	}
}

// TestBrokenAgent starts an agent that is no agent.
func TestBrokenAgent(t *testing.T) {
	t.Parallel()
	r, err := New(Config{Dir: t.TempDir(), Agent: "/bin/false", Address: "unix:/nobody", Secret: secret, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, r) })
	h := harness(t, r)
	spec := h.Script("broken", "exit 0")
	h.Start(t, spec)
	if w := h.End(t, spec); w.Phase != trialrunner.Exited || w.Exit.Reason != "CannotStart" {
		t.Errorf("got %+v, want CannotStart", w)
	}
}

// TestRemovedAttemptNeverRunsAgain starts what was removed.
func TestRemovedAttemptNeverRunsAgain(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	spec := h.Script("removed", "echo loss=1; echo said")
	h.Start(t, spec)
	h.End(t, spec)
	if err := r.Remove(t.Context(), spec.Experiment, spec.Trial, 1); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context(), spec); err == nil {
		t.Error("it was started again")
	}
	names, err := os.ReadDir(filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, 1)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range names {
		got = append(got, n.Name())
	}
	if want := []string{"agent.log", "exit.json", "log", "params.json"}; !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
}

// BenchmarkTrial is one short trial at a time, from start to the end that List tells.
func BenchmarkTrial(b *testing.B) {
	r, err := New(Config{Dir: b.TempDir(), Agent: agentPath, Address: "unix:/nobody", Secret: secret, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	i := 0
	for b.Loop() {
		i++
		spec := trialrunner.Spec{
			Experiment: runnertest.Key, UID: "u", Trial: fmt.Sprint("b", i), Attempt: 1,
			Objective: "loss", Command: []string{"echo", "loss=1"}, Local: experiment.Local{Dir: "/"},
		}
		if err := r.Start(b.Context(), spec); err != nil {
			b.Fatal(err)
		}
		<-r.find(spec.Experiment, target{spec.Trial, 1}).ended
	}
}

// TestOneFileAtATime has trials that write to the same file, one of which an earlier trial has left.
func TestOneFileAtATime(t *testing.T) {
	t.Parallel()
	r, h := opened(t, "unix:/nobody")
	dir := t.TempDir()
	file := filepath.Join(dir, "m.log")
	if err := os.WriteFile(file, []byte("loss=99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trial := func(name, script string) trialrunner.Spec {
		spec := h.Script(name, script, dir)
		spec.Collector = kind(experiment.File, &experiment.MetricsSource{FileSystemPath: &experiment.FileSystemPath{Path: file, Format: "TEXT"}})
		return spec
	}
	appends := trial("appends", `while [ ! -e "$1/go" ]; do sleep 0.02; done; echo loss=1 >> "$1/m.log"`)
	rewrites := trial("rewrites", `echo loss=2 > "$1/m.log"`)
	h.Start(t, appends)
	if err := r.Start(t.Context(), rewrites); !errors.Is(err, trialrunner.ErrBusy) {
		t.Errorf("got %v while another trial writes to the file, want ErrBusy", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.End(t, appends)
	h.Start(t, rewrites)
	h.End(t, rewrites)
	for spec, want := range map[*trialrunner.Spec]string{&appends: "1", &rewrites: "2"} {
		if got := texts(t, h, *spec); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want its own %s alone", spec.Trial, got, want)
		}
	}
}

// TestLeftoverOfADamagedSpool shows that what comes before the damage is there, and that the number of
// what was collected tells that more is missing.
func TestLeftoverOfADamagedSpool(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	r, err := New(Config{Dir: t.TempDir(), Agent: agentPath, Address: "unix:/nobody", Secret: secret, Now: time.Now, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, r) })
	h := harness(t, r)
	spec := h.Script("damaged", count, "100", "0")
	h.Start(t, spec)
	w := h.End(t, spec)
	path := filepath.Join(filepath.Dir(r.LogPath(spec.Experiment, spec.Trial, 1)), trialdir.SpoolFile)
	spool, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(spool, []byte("\n"))
	lines[40][20] ^= 1
	if err := os.WriteFile(path, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := r.Leftover(t.Context(), spec.Experiment, spec.Trial, 1, 10)
	if err != nil || len(left) != 30 || w.LastSeq != 100 {
		t.Errorf("got %d measurements of %d and %v, want the 30 before the damage", len(left), w.LastSeq, err)
	}
	if !strings.Contains(log.String(), path) {
		t.Errorf("got the log %q, want a warning that names %s", log.String(), path)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if left, err := r.Leftover(t.Context(), spec.Experiment, spec.Trial, 1, 10); err != nil || len(left) != 0 {
		t.Errorf("with its folder deleted: got %d measurements and %v, want nothing", len(left), err)
	}
}

func TestReasonsAreThoseOfTheAgent(t *testing.T) {
	if trialdir.ReasonStopped != trialrunner.ReasonStopped {
		t.Errorf("the agent says %q, runners say %q", trialdir.ReasonStopped, trialrunner.ReasonStopped)
	}
}
