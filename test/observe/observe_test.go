// Package observe_test looks at the daemon as others do: a Prometheus server, receivers of webhooks, a
// collector of traces.
package observe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

var bin string // folder of the built programs

func TestMain(m *testing.M) {
	os.Exit(testenv.WithPrograms(m, &bin,
		"github.com/tuned-hpo/tuned/cmd/tuned",
		"github.com/tuned-hpo/tuned/cmd/trial-agent"))
}

// outside is who looks at the daemon: it takes webhooks at /hook, traces at /v1/traces.
type outside struct {
	*httptest.Server
	mu     sync.Mutex
	down   bool     // the receiver of webhooks
	events []string // types
	ids    map[string]bool
	signed int
	spans  map[string]int // by name
	traces map[string]bool
	came   chan struct{} // capacity 1
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{ids: map[string]bool{}, spans: map[string]int{}, traces: map[string]bool{}, came: make(chan struct{}, 1)}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() {
		select {
		case o.came <- struct{}{}:
		default:
		}
	}()
	if r.URL.Path == "/v1/traces" {
		o.trace(body)
		return
	}
	if o.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var event struct{ ID, Type string }
	if json.Unmarshal(body, &event) != nil || r.Header.Get("Webhook-Id") != event.ID {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if strings.HasPrefix(r.Header.Get("Webhook-Signature"), "v1,") {
		o.signed++
	}
	if !o.ids[event.ID] { // an event may come twice
		o.ids[event.ID] = true
		o.events = append(o.events, strings.TrimPrefix(event.Type, "io.tuned."))
	}
}

func (o *outside) trace(body []byte) {
	var request collector.ExportTraceServiceRequest
	if proto.Unmarshal(body, &request) != nil {
		return
	}
	for _, of := range request.GetResourceSpans() {
		for _, scope := range of.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				o.spans[span.GetName()]++
				o.traces[string(span.GetTraceId())] = true
			}
		}
	}
}

// set changes the outside.
func (o *outside) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// until waits until ok holds, which is called with the lock held.
func (o *outside) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		o.mu.Lock()
		done, events := ok(), strings.Join(o.events, " ")
		o.mu.Unlock()
		if done {
			return
		}
		select {
		case <-o.came:
		case <-deadline:
			t.Fatalf("%s: never so; events: %s", what, events)
		}
	}
}

// daemon is one life of tuned serve.
type daemon struct {
	*testenv.Daemon
	t *testing.T
}

func serve(t *testing.T, dir, config string, env ...string) *daemon {
	t.Helper()
	return &daemon{testenv.Serve(t, bin, dir, env, "--config", config), t}
}

// tuned runs a command and returns what it prints.
func (d *daemon) tuned(args ...string) string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), filepath.Join(bin, "tuned"), append([]string{args[0], "--data-dir", d.Data}, args[1:]...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("tuned %v: %v\n%s", args, err, stderr.Bytes())
	}
	return string(out)
}

// page returns what a Prometheus server reads.
func (d *daemon) page() string {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.URL+"/metrics", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+d.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("/metrics: %d, %v\n%s", response.StatusCode, err, text)
	}
	return string(text)
}

const manifest = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: seen}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parallelTrialCount: 1
  maxTrialCount: 4
  maxFailedTrialCount: 4
  parameters:
  - {name: x, parameterType: double, feasibleSpace: {min: "1", max: "2"}}
`

// script prints its loss and how many secrets it was given; its second run fails.
const script = `echo loss=$0; echo secrets=$(env | grep -c -e TUNED_WEBHOOK -e canary); echo $0 >>runs; [ $(wc -l <runs) -ne 2 ]`

func TestDaemonIsObserved(t *testing.T) {
	promtool := testenv.Program(t, "promtool")
	o := newOutside(t)
	dir, work := t.TempDir(), t.TempDir()
	config, file := filepath.Join(work, "config.yaml"), filepath.Join(work, "seen.yaml")
	for name, text := range map[string]string{file: manifest, config: fmt.Sprintf(`cpus: 1
webhooks:
  hooks: [{url: "%s/hook", secretEnv: TUNED_WEBHOOK_KEY, events: [created, running, paused, resumed, stopped, succeeded, trialFailed]}]
  allow: [127.0.0.1]
`, o.URL)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := serve(t, dir, config, "TUNED_WEBHOOK_KEY=canary")
	t.Chdir(work)
	d.tuned("submit", file, "--", "sh", "-c", script, "${trialParameters.x}")
	d.tuned("wait", "seen", "--timeout", "1m")
	checkPage(t, d, promtool)
	if printed := d.tuned("logs", "seen", "1"); !strings.Contains(printed, "secrets=0") {
		t.Errorf("a trial has printed %q, want no secret in its environment", printed)
	}
	wanted := []string{"experiment.created", "experiment.running", "trial.failed", "experiment.succeeded"}
	o.until(t, "all events of the first run", func() bool { return len(o.events) >= len(wanted) })
	o.set(func() { o.down = true })
	d.tuned("extend", "seen", "--max-trials", "6")
	d.tuned("wait", "seen", "--timeout", "1m")
	d.End(os.Kill)
	o.set(func() { o.down = false })
	d = serve(t, dir, config, "TUNED_WEBHOOK_KEY=canary")
	wanted = append(wanted, "experiment.running", "experiment.succeeded")
	o.until(t, "events of the time in which the receiver was down", func() bool { return len(o.events) >= len(wanted) })
	d.tuned("extend", "seen", "--max-trials", "1000")
	wanted = append(wanted, "experiment.running")
	o.until(t, "it goes on", func() bool { return len(o.events) >= len(wanted) })
	for _, verb := range []string{"pause", "resume", "stop"} {
		d.tuned(verb, "seen")
	}
	wanted = append(wanted, "experiment.paused", "experiment.resumed", "experiment.stopped")
	o.until(t, "all events", func() bool { return len(o.events) >= len(wanted) })
	d.End(os.Interrupt)
	o.set(func() {
		if got := strings.Join(o.events, " "); got != strings.Join(wanted, " ") || o.signed < len(wanted) {
			t.Errorf("got events %s, %d of them signed; want %s", got, o.signed, strings.Join(wanted, " "))
		}
	})
	if strings.Contains(d.Log.String(), "canary") {
		t.Errorf("the log has a secret:\n%s", &d.Log)
	}
}

// checkPage compares metrics with what the API says, once four trials have ended.
func checkPage(t *testing.T, d *daemon, promtool string) {
	t.Helper()
	page := d.page()
	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = strings.NewReader(page)
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	for _, line := range []string{
		`katib_experiment_created_total{namespace="default"} 1`,
		`katib_experiment_succeeded_total{namespace="default"} 1`,
		`katib_trial_created_total{namespace="default"} 4`,
		`katib_trial_succeeded_total{namespace="default"} ` + d.tuned("get", "seen", "-o", "jsonpath=.counts.succeeded"),
		`katib_trial_failed_total{namespace="default"} ` + d.tuned("get", "seen", "-o", "jsonpath=.counts.failed"),
		`tuned_trials{state="Failed"} 1`,
		`tuned_measurements_stored_total 4`,
		`tuned_slots{resource="cpu"} 1`,
		`tuned_slots_used{resource="cpu"} 0`,
		`tuned_suggestions_total{algorithm="random"} 4`,
	} {
		if line = strings.TrimSpace(line); !strings.Contains(page, line+"\n") {
			t.Errorf("/metrics does not say %s", line)
		}
	}
}

// TestTraces ends the daemon in order, so that all traces are sent.
func TestTraces(t *testing.T) {
	o := newOutside(t)
	dir, work := t.TempDir(), t.TempDir()
	config, file := filepath.Join(work, "config.yaml"), filepath.Join(work, "seen.yaml")
	for name, text := range map[string]string{file: manifest, config: "cpus: 1\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := serve(t, dir, config, "OTEL_EXPORTER_OTLP_ENDPOINT="+o.URL)
	t.Chdir(work)
	d.tuned("submit", file, "--", "sh", "-c", script, "${trialParameters.x}")
	d.tuned("wait", "seen", "--timeout", "1m")
	d.End(os.Interrupt)
	o.set(func() {
		for _, name := range []string{"trial", "suggest", "queue", "run", "first metric", "done"} {
			if o.spans[name] != 4 {
				t.Errorf("got %d spans %q of 4 trials", o.spans[name], name)
			}
		}
		if len(o.traces) != 4 {
			t.Errorf("got %d traces of 4 trials", len(o.traces))
		}
	})
}
