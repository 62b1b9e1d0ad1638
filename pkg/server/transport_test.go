package server_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// bowl is what is minimised, of the texts of the parameters.
func bowl(t *testing.T, assignments map[string]string) float64 {
	t.Helper()
	sum := 0.0
	for name, text := range assignments {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sum += (v - 0.3) * (v - 0.3)
	}
	return sum
}

// transport asks for one trial and tells its result: the trial's assignments, as bytes that came.
type transport func(t *testing.T, request string) (assignments string)

func overGRPC(r *rig) transport {
	return func(t *testing.T, request string) string {
		t.Helper()
		answer, err := r.users.Ask(t.Context(), &tunedv1.AskRequest{Namespace: "default", Experiment: "walk", Count: 1, RequestId: request})
		if err != nil {
			t.Fatal(err)
		}
		trial := answer.GetTrials()[0]
		given := map[string]string{}
		for _, a := range trial.GetAssignments() {
			given[a.GetName()] = a.GetValue()
		}
		if _, err := r.users.Tell(t.Context(), &tunedv1.TellRequest{
			Namespace: "default", Experiment: "walk", Trial: trial.GetName(), Metrics: map[string]float64{"loss": bowl(t, given)},
		}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(trial.GetAssignments())
	}
}

func overREST(r *rig) transport {
	return func(t *testing.T, request string) string {
		t.Helper()
		a := r.do(t, http.MethodPost, "/api/v1/namespaces/default/experiments/walk/ask", `{"requestId": "`+request+`"}`, as(userToken)...)
		var answer tunedv1.AskResponse
		if err := protojson.Unmarshal(a.body, &answer); err != nil {
			t.Fatal(err)
		}
		trial := answer.GetTrials()[0]
		given := map[string]string{}
		for _, x := range trial.GetAssignments() {
			given[x.GetName()] = x.GetValue()
		}
		body, err := json.Marshal(map[string]any{"metrics": map[string]float64{"loss": bowl(t, given)}})
		if err != nil {
			t.Fatal(err)
		}
		r.user(t, http.MethodPost, "/api/v1/namespaces/default/experiments/walk/trials/"+trial.GetName()+"/tell", string(body), nil)
		return fmt.Sprint(trial.GetAssignments())
	}
}

func inProcess(r *rig) transport {
	key := experiment.Key{Namespace: "default", Name: "walk"}
	return func(t *testing.T, request string) string {
		t.Helper()
		trials, _, err := r.tuner.Ask(t.Context(), key, 1, request)
		if err != nil {
			t.Fatal(err)
		}
		given := map[string]string{}
		var sent []*tunedv1.Assignment
		for _, p := range trials[0].Assignment {
			given[p.Name] = p.Value
			sent = append(sent, &tunedv1.Assignment{Name: p.Name, Value: p.Value})
		}
		v := bowl(t, given)
		if _, err := r.tuner.Tell(t.Context(), key, tuner.Result{Trial: trials[0].Name, Measurements: []experiment.Measurement{
			{Seq: 1, Metric: "loss", Value: v, Text: strconv.FormatFloat(v, 'g', -1, 64)},
		}}); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(sent)
	}
}

// TestSameSeedSameSuggestions: the transport makes no difference to any digit.
func TestSameSeedSameSuggestions(t *testing.T) {
	var want []string
	for i, over := range []func(*rig) transport{inProcess, overGRPC, overREST} {
		r := newRigOf(t, nil)
		r.user(t, http.MethodPost, "/api/v1/experiments", walked, nil)
		next := over(r)
		var got []string
		for n := range 30 {
			got = append(got, next(t, fmt.Sprint("request ", n)))
		}
		if i == 0 {
			want = got
			continue
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("transport %d (-got +in process):\n%s", i, diff)
		}
	}
}

// TestRepeatedCalls: what is sent again, because the answer was lost, makes nothing new.
func TestRepeatedCalls(t *testing.T) {
	r := newRigOf(t, nil)
	const path = "/api/v1/namespaces/default/experiments/walk"
	count := func() (trials, events int) {
		var list struct{ Total int }
		var happened struct{ Events []any }
		r.user(t, http.MethodGet, path+"/trials", "", &list)
		r.user(t, http.MethodGet, path+"/events?pageSize=1000", "", &happened)
		return list.Total, len(happened.Events)
	}
	calls := []struct{ path, body string }{
		{"/api/v1/experiments", walked},
		{path + "/ask", `{"count": 2, "requestId": "a"}`},
		{path + "/trials", `{"assignments": [{"name": "x", "value": "0.5"}, {"name": "y", "value": "0.5"}], "requestId": "e"}`},
		{path + "/trials/1/report", `{"measurements": [{"seq": "1", "metric": "loss", "text": "3"}]}`},
		{path + "/trials/1/tell", `{"metrics": {"loss": 1}}`},
		{path + "/tell", `{"assignments": [{"name": "x", "value": "0.1"}, {"name": "y", "value": "0.2"}], "requestId": "t", "metrics": {"loss": 2}}`},
		{path + "/annotate", `{"note": "n"}`},
		{path + "/pause", ""},
		{path + "/resume", ""},
		{path + "/stop", ""},
	}
	for _, c := range calls {
		first := r.do(t, http.MethodPost, c.path, c.body, as(userToken)...)
		for e := (struct{ Completed, Settled bool }{Completed: true}); e.Completed && !e.Settled; { // its trials end, too
			r.user(t, http.MethodGet, path, "", &e)
		}
		trials, events := count()
		for range 3 {
			again := r.do(t, http.MethodPost, c.path, c.body, as(userToken)...)
			if again.StatusCode != http.StatusOK || first.StatusCode != http.StatusOK {
				t.Errorf("%s: got %s, then %s: %s", c.path, first.Status, again.Status, again.body)
			}
		}
		if n, m := count(); n != trials || m != events {
			t.Errorf("%s again: %d trials and %d events, want %d and %d", c.path, n, m, trials, events)
		}
	}
	for _, c := range []struct{ path, body, code string }{
		{path + "/trials/1/tell", `{"metrics": {"loss": 7}}`, "RESULT_DIFFERS"},
		{"/api/v1/experiments", `{"manifest": "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: walk}\nspec:\n  maxTrialCount: 5\n  objective: {type: minimize, objectiveMetricName: other}\n  algorithm: {algorithmName: random}\n  parameters:\n  - {name: x, parameterType: double, feasibleSpace: {min: \"0\", max: \"1\"}}\n"}`, "EXPERIMENT_EXISTS"},
	} {
		if p := r.do(t, http.MethodPost, c.path, c.body, as(userToken)...).problem(t); p.Code != c.code || p.Status != http.StatusConflict {
			t.Errorf("%s: got %s (%s), want %s", c.path, p.Code, p.Message, c.code)
		}
	}
}

// TestNumbersThatJSONHasNot: they come as text, and are read so.
func TestNumbersThatJSONHasNot(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	var told tunedv1.Trial
	a := r.do(t, http.MethodPost, "/api/v1/namespaces/default/experiments/asked/trials/"+trial+"/tell", `{"metrics": {"acc": "-Infinity"}}`, as(userToken)...)
	if err := protojson.Unmarshal(a.body, &told); err != nil || !math.IsInf(told.GetValue(), -1) {
		t.Errorf("got %s, %v; want the value -Infinity", a.body, err)
	}
}
