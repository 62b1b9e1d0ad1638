package metrics_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/metrics"
	"github.com/tuned-hpo/tuned/pkg/store/storetest"
)

// full is a rig in which each metric has a series.
func full(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, storetest.NewMemory())
	r.told("told")
	e := wanted("run", 1, 4)
	e.Local.Command = []string{"train"}
	r.settle(e)
	return r
}

// page returns what a Prometheus server reads.
func page(t *testing.T, g prometheus.Gatherer) []byte {
	t.Helper()
	w := httptest.NewRecorder()
	metrics.Handler(g).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("got status %d, %v", w.Code, err)
	}
	return text
}

func TestPageIsClean(t *testing.T) {
	promtool := testenv.Program(t, "promtool")
	text := page(t, full(t).registry)
	command := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	command.Stdin = bytes.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	bad := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	bad.Stdin = bytes.NewReader(append(text, "# TYPE tuned_wrong counter\ntuned_wrong 1\n"...))
	if out, err := bad.CombinedOutput(); err == nil {
		t.Errorf("promtool accepts a counter without _total:\n%s", out)
	}
}

// documented is a row of docs/monitoring.md: | `name` | type | `labels` | meaning |.
var documented = regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (counter|gauge|histogram) \\| ([^|]*) \\| [^|]+ \\|$")

func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range documented.FindAllStringSubmatch(string(text), -1) {
		got = append(got, fmt.Sprintf("%s %s %s", row[1], row[2], strings.ReplaceAll(row[3], "`", "")))
	}
	slices.Sort(got)
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range families {
		if name := f.GetName(); !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			want = append(want, fmt.Sprintf("%s %s %s", name, strings.ToLower(f.GetType().String()), labels(f)))
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("docs/monitoring.md says, the daemon shows:\n%s", diff)
	}
}

// labels lists the names of a family's labels.
func labels(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.Metric[0].Label {
		names = append(names, l.GetName())
	}
	return strings.Join(names, ", ")
}
