package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
)

const movedManifest = `apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {name: moved}
spec:
  objective: {type: minimize, objectiveMetricName: loss}
  algorithm: {algorithmName: random}
  parameters:
  - {name: x, parameterType: double, feasibleSpace: {min: "0", max: "1"}}
`

var movedKey = experiment.Key{Namespace: "default", Name: "moved"}

// movedParts are the messages of an import of n trials, a few in each: of trial i the loss is 1/i, and it has a
// curve that comes in two messages.
func movedParts(n int) []*tunedv1.ImportExperimentRequest {
	const few = 100
	parts := []*tunedv1.ImportExperimentRequest{{Namespace: "default", Manifest: movedManifest, RequestId: "once", Note: "from elsewhere"}}
	for i := 1; i <= n; i++ {
		last := parts[len(parts)-1]
		if len(last.GetTrials()) >= few || i == 1 {
			last = &tunedv1.ImportExperimentRequest{}
			parts = append(parts, last)
		}
		text := fmt.Sprint(1 / float64(i))
		last.Trials = append(last.Trials, &tunedv1.ImportedTrial{
			Trial: &tunedv1.Trial{
				State: "Succeeded", Assignments: []*tunedv1.Assignment{{Name: "x", Value: "0.5"}},
				Metrics: []*tunedv1.Metric{{Name: "loss", Latest: text}}, Note: fmt.Sprint("note ", i),
			},
			Measurements: []*tunedv1.Measurement{{Seq: 1, Step: 1, Metric: "loss", Text: "2"}},
		})
		if i == few {
			parts = append(parts, &tunedv1.ImportExperimentRequest{})
			last = parts[len(parts)-1]
		}
		last.Trials = append(last.Trials, &tunedv1.ImportedTrial{Measurements: []*tunedv1.Measurement{{Seq: 2, Step: 2, Metric: "loss", Text: text}}})
	}
	return parts
}

// importParts imports over gRPC.
func (r *rig) importParts(ctx context.Context, parts []*tunedv1.ImportExperimentRequest) (*tunedv1.Experiment, error) {
	stream, err := r.users.ImportExperiment(ctx)
	for _, p := range parts {
		if err == nil {
			err = stream.Send(p)
		}
	}
	if err != nil && err != io.EOF { //nolint:errorlint // as gRPC documents it
		return nil, err
	}
	return stream.CloseAndRecv()
}

// reasonOf returns the stable code of an error.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// lines are messages as the body of a request.
func lines(t *testing.T, parts []*tunedv1.ImportExperimentRequest) string {
	t.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		text, err := protojson.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

const importPath = "/api/v1/experiments/import"

// absent reports what of the import is there although nothing should be.
func (r *rig) absent(t *testing.T) {
	t.Helper()
	if _, err := r.tuner.Experiment(context.WithoutCancel(t.Context()), movedKey); err == nil {
		t.Error("a part of it is there")
	}
}

func TestImport(t *testing.T) {
	const n = 700
	over := map[string]func(*testing.T, *rig) *tunedv1.Experiment{
		"gRPC": func(t *testing.T, r *rig) *tunedv1.Experiment {
			t.Helper()
			m, err := r.importParts(t.Context(), movedParts(n))
			if err != nil {
				t.Fatal(err)
			}
			return m
		},
		"REST": func(t *testing.T, r *rig) *tunedv1.Experiment {
			t.Helper()
			a := r.do(t, http.MethodPost, importPath, lines(t, movedParts(n)), append(as(userToken), "Content-Type", "application/x-ndjson")...)
			var m tunedv1.Experiment
			if err := protojson.Unmarshal(a.body, &m); err != nil || a.StatusCode != http.StatusOK {
				t.Fatalf("%s, %v: %s", a.Status, err, a.body)
			}
			return &m
		},
	}
	for name, imported := range over {
		t.Run(name, func(t *testing.T) {
			r := newRigOf(t, nil)
			m := imported(t, r)
			if m.GetState() != "Succeeded" || m.GetCounts().GetSucceeded() != n || m.GetBest().GetNumber() != n || m.GetNote() != "from elsewhere" || m.GetBudget().GetMaxTrials() != n {
				t.Errorf("got %v", m)
			}
			trial, err := r.users.GetTrial(t.Context(), &tunedv1.GetTrialRequest{Namespace: "default", Experiment: "moved", Trial: "100"})
			if err != nil || trial.GetValue() != 0.01 || trial.GetNote() != "note 100" || trial.GetFinishNumber() != 100 {
				t.Errorf("trial 100: %v, %v", trial, err)
			}
			list, err := r.users.ListMeasurements(t.Context(), &tunedv1.ListMeasurementsRequest{Namespace: "default", Experiment: "moved", Trial: "100"})
			if err != nil || len(list.GetMeasurements()) != 2 || list.GetMeasurements()[1].GetText() != "0.01" {
				t.Errorf("its measurements: %v, %v", list, err)
			}
			imported(t, r) // the same again
			if again, err := r.importParts(t.Context(), movedParts(n)); err != nil || again.GetUid() != m.GetUid() || again.GetRevision() != m.GetRevision() {
				t.Errorf("the same again: %v, %v", again, err)
			}
			other := movedParts(n)
			other[0].RequestId = "another"
			if _, err := r.importParts(t.Context(), other); status.Code(err) != codes.AlreadyExists {
				t.Errorf("another one of that name: %v", err)
			}
		})
	}
}

// TestImportRefuses: all that is wrong comes at once, and nothing is stored.
func TestImportRefuses(t *testing.T) {
	trial := func(p []*tunedv1.ImportExperimentRequest, i int) *tunedv1.ImportedTrial { return p[1].GetTrials()[2*i] }
	tests := []struct {
		name   string
		spoil  func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest
		code   string
		faults []string // paths
	}{
		{"broken trials", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			trial(p, 0).Trial.Assignments[0].Value = "7"
			trial(p, 1).Trial.State = "Running"
			trial(p, 2).Trial.Metrics[0].Latest = "high"
			trial(p, 3).Trial.State = "Odd\x1b[2J"
			trial(p, 4).Trial.Number = 9
			trial(p, 5).Trial.Tags = []string{""}
			return p
		}, "TRIALS_INVALID", []string{"trials[0].assignment", "trials[2].observation", "trials[3].state", "trials[4].number", "trials[1].state", "trials[5].note"}},
		{"numbers of finishing", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			trial(p, 0).Trial.FinishNumber = 2
			trial(p, 1).Trial.FinishNumber = 2
			return p
		}, "TRIALS_INVALID", []string{"trials[1].finishNumber", "trials[2].finishNumber", "trials[3].finishNumber", "trials[4].finishNumber", "trials[5].finishNumber"}},
		{"another number of trials", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[0].Manifest += "  maxTrialCount: 7\n"
			return p
		}, "TRIALS_INVALID", nil},
		{"no trial", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest { return p[:1] }, "TRIALS_INVALID", nil},
		{"nothing", func([]*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest { return nil }, "MANIFEST_INVALID", nil},
		{"a gap in a curve", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			trial(p, 3).Measurements[0].Seq = 4
			return p
		}, "TRIALS_INVALID", nil},
		{"measurements of no trial", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			trial(p, 0).Trial = nil
			return p
		}, "ARGUMENT_INVALID", nil},
		{"two manifests", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[1].Manifest = movedManifest
			return p
		}, "ARGUMENT_INVALID", nil},
		{"a broken manifest", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[0].Manifest = strings.Replace(movedManifest, "minimize", "neither", 1)
			return p
		}, "MANIFEST_INVALID", []string{"spec.objective.type"}},
		{"a long request id", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[0].RequestId = strings.Repeat("x", 300)
			return p
		}, "ARGUMENT_INVALID", nil},
		{"a note that is too long", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[0].Note = strings.Repeat("x", 100<<10)
			return p
		}, "ARGUMENT_INVALID", nil},
		{"how its trials run", func(p []*tunedv1.ImportExperimentRequest) []*tunedv1.ImportExperimentRequest {
			p[0].Local = &tunedv1.Local{Command: []string{"true"}}
			return p
		}, "LOCAL_REFUSED", nil},
	}
	r := newRigOf(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts := tt.spoil(movedParts(6))
			body := lines(t, parts)
			p := r.do(t, http.MethodPost, importPath, body, append(as(userToken), "Content-Type", "application/x-ndjson")...).problem(t)
			var paths []string
			for _, f := range p.Faults {
				paths = append(paths, f.Path)
			}
			if diff := cmp.Diff(paths, tt.faults); p.Code != tt.code || diff != "" {
				t.Errorf("got %s (%s), want %s; faults (-got +want):\n%s", p.Code, p.Message, tt.code, diff)
			}
			if _, err := r.importParts(t.Context(), parts); err == nil || strings.ContainsRune(status.Convert(err).Message(), '\x1b') {
				t.Errorf("over gRPC: %v", err)
			}
			r.absent(t)
		})
	}
}

// TestImportMeetsAnother: an experiment of that name that was created stays as it is.
func TestImportMeetsAnother(t *testing.T) {
	r := newRig(t, 3)
	parts := movedParts(6)
	parts[0].Manifest = strings.Replace(movedManifest, "moved", "asked", 1)
	if _, err := r.importParts(t.Context(), parts); status.Code(err) != codes.AlreadyExists {
		t.Errorf("got %v, want AlreadyExists", err)
	}
	if left := r.ask(t, 1, ""); len(left.GetTrials()) != 1 {
		t.Errorf("it goes on no more: %v", left)
	}
}

// TestImportMalformed: a line that is none is refused, wherever it comes.
func TestImportMalformed(t *testing.T) {
	r := newRigOf(t, nil)
	good := lines(t, movedParts(250))
	for name, body := range map[string]string{
		"cut in a line": good[:len(good)/2], "no JSON": good + "and so on", "an unknown field": good + `{"trails": []}`, "an empty body": "",
	} {
		p := r.do(t, http.MethodPost, importPath, body, append(as(userToken), "Content-Type", "application/x-ndjson")...).problem(t)
		if p.Code != "REQUEST_MALFORMED" && name != "an empty body" || p.Status != http.StatusBadRequest {
			t.Errorf("%s: got %s (%s)", name, p.Code, p.Message)
		}
		r.absent(t)
	}
	if p := r.do(t, http.MethodPost, importPath, good, append(as(userToken), "Content-Type", "text/plain")...).problem(t); p.Code != "MEDIA_TYPE_UNSUPPORTED" {
		t.Errorf("as text: got %s", p.Code)
	}
}

// TestImportCut: of a connection that is cut in the middle nothing stays, and the import can be made again.
func TestImportCut(t *testing.T) {
	cuts := map[string]func(*testing.T, *rig){
		"gRPC": func(t *testing.T, r *rig) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := r.users.ImportExperiment(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range movedParts(250)[:3] {
				if err := stream.Send(p); err != nil {
					t.Fatal(err)
				}
			}
		},
		"REST": func(t *testing.T, r *rig) {
			t.Helper()
			conn, err := net.Dial("tcp", r.tcp)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			body := lines(t, movedParts(250)[:3]) // whole lines
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\n"+
				"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", importPath, userToken, len(body), body)
		},
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			r := newRigOf(t, nil)
			cut(t, r)
			other := movedParts(3)
			other[0].Manifest = strings.Replace(movedManifest, "moved", "other", 1)
			if _, err := r.importParts(t.Context(), other); err != nil { // it waits until the cut one has ended
				t.Fatal(err)
			}
			r.absent(t)
			if m, err := r.importParts(t.Context(), movedParts(250)); err != nil || m.GetCounts().GetTrials() != 250 {
				t.Errorf("again: %v, %v", m, err)
			}
		})
	}
}

// TestImportLimits: what is too large, or comes too slowly, is given up.
func TestImportLimits(t *testing.T) {
	tests := []struct {
		name   string
		limits server.Limits
		code   string
	}{
		{"trials", server.Limits{Import: server.ImportLimits{Trials: 249}}, "REQUEST_TOO_LARGE"},
		{"bytes", server.Limits{Import: server.ImportLimits{Bytes: 1000}}, "REQUEST_TOO_LARGE"},
		{"silence", server.Limits{Stall: 50 * time.Millisecond}, "DEADLINE_EXCEEDED"},
		{"time", server.Limits{Import: server.ImportLimits{Time: 50 * time.Millisecond}}, "DEADLINE_EXCEEDED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRigOf(t, nil, func(c *server.Config) { c.Limits = tt.limits })
			stream, err := r.users.ImportExperiment(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range movedParts(250) {
				_ = stream.Send(p) // what becomes of it is asked for below
			}
			var m tunedv1.Experiment
			if err := stream.RecvMsg(&m); reasonOf(err) != tt.code { // without an end of what is sent
				t.Errorf("got %v, want %s", err, tt.code)
			}
			if tt.code == "REQUEST_TOO_LARGE" {
				a := r.do(t, http.MethodPost, importPath, lines(t, movedParts(250)), append(as(userToken), "Content-Type", "application/x-ndjson")...)
				if p := a.problem(t); p.Code != tt.code {
					t.Errorf("REST: got %s (%s), want %s", p.Code, p.Message, tt.code)
				}
			}
			r.absent(t)
		})
	}
}

// TestImportsComeInTurn, and hold up nobody else: readers see none of it, or all.
func TestImportsComeInTurn(t *testing.T) {
	const n = 3000
	r := newRigOf(t, asked(1000))
	stop := make(chan struct{})
	watched := make(chan error, 1)
	go func() { watched <- r.wholeOrNone(t.Context(), n, stop) }()
	ended := make(chan error, 3)
	for i := range cap(ended) {
		go func() {
			parts := movedParts(n)
			parts[0].Manifest = strings.Replace(movedManifest, "moved", fmt.Sprint("moved-", i), 1)
			_, err := r.importParts(t.Context(), parts)
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if got := r.ask(t, 1, ""); len(got.GetTrials()) == 1 {
			if err := r.tell(t.Context(), got.GetTrials()[0].GetName(), "0.5"); err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	if err := <-watched; err != nil {
		t.Error(err)
	}
}

// wholeOrNone looks at all experiments again and again: none has some of its trials and does not say so.
func (r *rig) wholeOrNone(ctx context.Context, n uint32, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		list, err := r.users.ListExperiments(ctx, &tunedv1.ListExperimentsRequest{})
		if err != nil {
			return err
		}
		for _, e := range list.GetExperiments() {
			whole := e.GetState() == "Succeeded" && e.GetCounts().GetTrials() == n
			if e.GetName() != "asked" && !whole && (e.GetState() != "Failed" || e.GetReason() != "ImportInterrupted") {
				return fmt.Errorf("%s is %s (%s) with %d trials", e.GetName(), e.GetState(), e.GetReason(), e.GetCounts().GetTrials())
			}
		}
	}
}

// TestImportIsWatched: who follows an experiment's stream of events hears of its import.
func TestImportIsWatched(t *testing.T) {
	r := newRigOf(t, nil)
	next, closeIt := r.events(t, "/api/v1/watch")
	defer closeIt()
	next() // reset
	if _, err := r.importParts(t.Context(), movedParts(5)); err != nil {
		t.Fatal(err)
	}
	seen := until(next, "experiment", func(e map[string]any) bool { return e["name"] == "moved" && e["state"] == "Succeeded" })
	if len(seen) != 6 {
		t.Errorf("got %d events, want 5 trials and their experiment", len(seen))
	}
}

// TestImportSendsNoSecrets: an error tells nothing of what was sent beside the place.
func TestImportSendsNoSecrets(t *testing.T) {
	var log safeBuffer
	r := newRigOf(t, nil, logged(&log))
	parts := movedParts(3)
	parts[0].Manifest = strings.Replace(secretive, "random", "none", 1)
	a := r.do(t, http.MethodPost, importPath, lines(t, parts), append(as(userToken), "Content-Type", "application/x-ndjson")...)
	parts[0].Manifest = strings.Replace(secretive, "maxTrialCount: 3", "maxTrialCount: 4", 1)
	b := r.do(t, http.MethodPost, importPath, lines(t, parts), append(as(userToken), "Content-Type", "application/x-ndjson")...)
	for name, text := range map[string]string{"answer": string(a.body), "second answer": string(b.body), "log": log.text()} {
		if strings.Contains(text, canary) || strings.Contains(text, userToken) {
			t.Errorf("%s: %s", name, text)
		}
	}
}
