package server_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// listed returns the numbers of all trials of a list, page by page. Between is called after each page.
func (r *rig) listed(t *testing.T, filter, order string, size int32, between func()) (numbers []uint64) {
	t.Helper()
	for request := (&tunedv1.ListTrialsRequest{Namespace: "default", Experiment: "asked", Filter: filter, OrderBy: order, PageSize: size}); ; {
		page, err := r.users.ListTrials(t.Context(), request)
		if err != nil {
			t.Fatalf("filter %q, order %q: %v", filter, order, err)
		}
		if len(page.GetTrials()) > int(size) {
			t.Fatalf("a page of %d trials, want at most %d", len(page.GetTrials()), size)
		}
		for _, x := range page.GetTrials() {
			numbers = append(numbers, x.GetNumber())
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return numbers
		}
		if between != nil {
			between()
		}
	}
}

// TestFiltersAndOrders: trials 1 to 6 with values 0.5, 0.25, NaN, 0.75, -Infinity, and one that runs.
func TestFiltersAndOrders(t *testing.T) {
	r := newRig(t, 20)
	for i, value := range []string{"0.5", "0.25", "nan", "0.75", "-Infinity"} {
		trial := r.ask(t, 1, "").GetTrials()[0].GetName()
		if err := r.tell(t.Context(), trial, value); err != nil {
			t.Fatal(err)
		}
		tags := []string{"odd", "even"}[i%2]
		if _, err := r.users.AnnotateTrial(t.Context(), &tunedv1.AnnotateTrialRequest{
			Namespace: "default", Experiment: "asked", Trial: trial, Tags: &tunedv1.Tags{Tags: []string{tags, "all of them"}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	r.ask(t, 1, "")
	tests := []struct {
		filter, order string
		want          []uint64
	}{
		{"", "", []uint64{1, 2, 3, 4, 5, 6}},
		{"", "number desc", []uint64{6, 5, 4, 3, 2, 1}},
		{"", "value", []uint64{5, 2, 1, 4, 3, 6}}, // those without a value last
		{"", "value desc", []uint64{4, 1, 2, 5, 3, 6}},
		{"", "finished desc", []uint64{5, 4, 3, 2, 1, 6}},
		{"", "param.none", []uint64{1, 2, 3, 4, 5, 6}},
		{"state=Running", "", []uint64{6}},
		{"state=rUNNING", "", []uint64{6}},
		{"state:run", "", []uint64{6}},
		{"state!=running AND value>=0.5", "", []uint64{1, 4}},
		{"state!=Running AND value>=0.5", "", []uint64{1, 4}},
		{"value<0.5", "", []uint64{2, 5}},
		{"value!=0.5", "", []uint64{2, 3, 4, 5, 6}}, // NaN is unequal to all
		{"metric.acc=0.250", "", []uint64{2}},
		{"tag=odd", "number desc", []uint64{5, 3, 1}},
		{"tag!=odd", "", []uint64{2, 4, 6}},
		{`tag="all of them" AND tag:EVE`, "", []uint64{2, 4}},
		{"number>2 AND number<=4", "", []uint64{3, 4}},
		{"param.x>=0 AND param.x<=1", "", []uint64{1, 2, 3, 4, 5, 6}},
		{"param.x>1", "", nil},
		{"metric.acc=0.250 AND metric.acc!=1", "", []uint64{2}},
		{"reason:diverg", "", []uint64{3, 5}},
	}
	for _, tt := range tests {
		for _, size := range []int32{1, 2, 100} {
			if got := r.listed(t, tt.filter, tt.order, size, nil); !slices.Equal(got, tt.want) {
				t.Errorf("filter %q, order %q, pages of %d: got %v, want %v", tt.filter, tt.order, size, got, tt.want)
			}
		}
	}
	byX := r.listed(t, "", "param.x", 2, nil)
	slices.Reverse(byX)
	if got := r.listed(t, "", "param.x desc", 4, nil); !slices.Equal(got, byX) {
		t.Errorf("by parameter: got %v down, want %v", got, byX)
	}
}

func TestListsRefuse(t *testing.T) {
	r := newRig(t, 20)
	for range 3 {
		if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "1"); err != nil {
			t.Fatal(err)
		}
	}
	page, err := r.users.ListTrials(t.Context(), &tunedv1.ListTrialsRequest{Namespace: "default", Experiment: "asked", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	const path = "/api/v1/namespaces/default/experiments/asked/trials?"
	for query, want := range map[string]string{
		"filter=" + url.QueryEscape("state"):         "FILTER_INVALID",
		"filter=" + url.QueryEscape("staet=Running"): "FILTER_INVALID",
		"filter=" + url.QueryEscape("state<3"):       "FILTER_INVALID",
		"filter=" + url.QueryEscape("state=Paused"):  "FILTER_INVALID", // no trial is
		"filter=" + url.QueryEscape("state!=ended"):  "FILTER_INVALID",
		"filter=" + url.QueryEscape("value>x"):       "FILTER_INVALID",
		"filter=" + url.QueryEscape(`tag="a" b`):     "FILTER_INVALID",
		"filter=" + url.QueryEscape("param.xx=1"):    "FILTER_INVALID",
		"filter=" + url.QueryEscape("metric.los=1"):  "FILTER_INVALID",
		"orderBy=price": "ORDER_INVALID",
		"orderBy=" + url.QueryEscape("value downwards"): "ORDER_INVALID",
		"pageSize=-1":   "PAGE_INVALID",
		"pageSize=1001": "PAGE_INVALID",
		"pageToken=x":   "PAGE_INVALID",
		"pageToken=" + forged(t, page.GetNextPageToken(), "n", uint64(1<<63+5)): "PAGE_INVALID",
		"pageToken=" + forged(t, page.GetNextPageToken(), "a", -1):              "PAGE_INVALID",
		"orderBy=value&pageToken=" + page.GetNextPageToken():                    "PAGE_INVALID", // of another list
		"pageSize=x": "ARGUMENT_INVALID",
	} {
		if p := r.do(t, "GET", path+query, "", as(userToken)...).problem(t); p.Code != want {
			t.Errorf("%s: got %s (%s), want %s", query, p.Code, p.Message, want)
		}
	}
}

// forged is a page token with another value in it.
func forged(t *testing.T, token, field string, value any) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	fields[field], err = json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// TestPagesWhileTrialsAreAdded: a list that is read meanwhile has each trial that was there once, in order.
func TestPagesWhileTrialsAreAdded(t *testing.T) {
	r := newRig(t, 200)
	add := func() {
		for range 2 {
			if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "0."+fmt.Sprint(time.Now().UnixNano()%97)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		add()
	}
	for _, order := range []string{"number", "number desc", "value", "value desc", "finished", "param.x"} {
		before := r.listed(t, "", order, 100, nil)
		left := 4
		got := r.listed(t, "", order, 2, func() {
			if left--; left >= 0 {
				add()
			}
		})
		if slices.Sort(got); len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%s: a trial came twice: %v", order, got)
		}
		for _, number := range before {
			if !slices.Contains(got, number) {
				t.Errorf("%s: trial %d never came", order, number)
			}
		}
	}
}

func TestExperimentsByPage(t *testing.T) {
	r := newRigOf(t, nil)
	var want []string
	for i := range 7 {
		e := asked(3)
		e.Metadata.Name, e.Metadata.Namespace = fmt.Sprintf("e%d", i), []string{"a", "b"}[i%2]
		if _, err := r.tuner.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		want = append(want, e.Key().String())
	}
	if err := r.tuner.Pause(t.Context(), asked(1).Key()); err == nil {
		t.Error("paused what does not exist")
	}
	slices.Sort(want)
	for filter, wanted := range map[string][]string{"": want, "name:E3 AND algorithm=random": {"b/e3"}, "namespace=a AND name!=e0": {"a/e2", "a/e4", "a/e6"}, "state=failed": nil, "state!=PAUSED": want} {
		for _, size := range []int32{1, 3, 7, 0} {
			got := r.names(t, &tunedv1.ListExperimentsRequest{PageSize: size, Filter: filter})
			if !slices.Equal(got, wanted) {
				t.Errorf("filter %q, pages of %d: got %v, want %v", filter, size, got, wanted)
			}
		}
	}
}

// names returns namespace/name of all experiments of a list, page by page.
func (r *rig) names(t *testing.T, request *tunedv1.ListExperimentsRequest) (got []string) {
	t.Helper()
	for {
		page, err := r.users.ListExperiments(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.GetExperiments() {
			got = append(got, e.GetNamespace()+"/"+e.GetName())
			if e.GetObject() != nil || e.GetManifest() != "" {
				t.Errorf("%s: the list has its spec", e.GetName())
			}
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			return got
		}
	}
}

// TestPagesOfNamespacesThatBeginAlike: pages follow the order of the list, by namespace and then by name, whatever
// comes before a slash among letters.
func TestPagesOfNamespacesThatBeginAlike(t *testing.T) {
	r := newRigOf(t, nil)
	want := []string{"team/e1", "team/e2", "team-a/f1", "team-a/f2", "team-a-b/x", "team-b/g1", "team0/y", "zeta/h1", "zeta/h1-a"}
	for _, name := range want {
		e := asked(3)
		e.Metadata.Namespace, e.Metadata.Name, _ = strings.Cut(name, "/")
		if _, err := r.tuner.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for size := range int32(len(want) + 1) { // 0 is the usual size
		if got := r.names(t, &tunedv1.ListExperimentsRequest{PageSize: size}); !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %v, want %v", size, got, want)
		}
	}
	if got := r.names(t, &tunedv1.ListExperimentsRequest{PageSize: 1, Namespace: "team-a"}); !slices.Equal(got, []string{"team-a/f1", "team-a/f2"}) {
		t.Errorf("of one namespace: got %v", got)
	}
}

// TestCurves: a curve keeps its ends and its extremes, however few points are asked for.
func TestCurves(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	const n = 5000
	var ms []*tunedv1.Measurement
	for i := range n {
		value := fmt.Sprint(math.Sin(float64(i) / 300))
		switch i {
		case 1234:
			value = "99"
		case 4321:
			value = "-99"
		case 17:
			value = "nan"
		}
		ms = append(ms, &tunedv1.Measurement{Seq: uint64(i + 1), Step: int64(i), Metric: "acc", Text: value})
	}
	reported, err := r.users.ReportTrial(t.Context(), &tunedv1.ReportTrialRequest{Namespace: "default", Experiment: "asked", Trial: trial, Measurements: ms})
	if err != nil || reported.GetAckedSeq() != n {
		t.Fatalf("report: got %v, %v", reported, err)
	}
	for _, most := range []int32{3, 4, 10, 1000, 10000} {
		got, err := r.users.GetCurves(t.Context(), &tunedv1.GetCurvesRequest{Namespace: "default", Experiment: "asked", Trial: trial, MaxPoints: most})
		if err != nil || len(got.GetCurves()) != 1 {
			t.Fatalf("got %v, %v", got, err)
		}
		c := got.GetCurves()[0]
		points := c.GetPoints()
		if len(points) > int(most) || c.GetTotal() != n || points[0].GetSeq() != 1 || points[len(points)-1].GetSeq() != n {
			t.Errorf("%d: got %d of %d points, from %d to %d", most, len(points), c.GetTotal(), points[0].GetSeq(), points[len(points)-1].GetSeq())
		}
		greatest, least := math.Inf(-1), math.Inf(1)
		for i, p := range points {
			if v := p.GetValue(); !math.IsNaN(v) {
				greatest, least = max(greatest, v), min(least, v)
			}
			if i > 0 && p.GetSeq() <= points[i-1].GetSeq() {
				t.Errorf("%d: point %d is out of order", most, i)
			}
		}
		if greatest != 99 || most > 3 && least != -99 {
			t.Errorf("%d: values from %v to %v, want -99 to 99", most, least, greatest)
		}
	}
	var seqs []uint64
	for request := (&tunedv1.ListMeasurementsRequest{Namespace: "default", Experiment: "asked", Trial: trial, PageSize: 1999}); ; {
		page, err := r.users.ListMeasurements(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.GetMeasurements() {
			seqs = append(seqs, m.GetSeq())
		}
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if len(seqs) != n || seqs[0] != 1 || seqs[n-1] != n {
		t.Errorf("pages have %d measurements", len(seqs))
	}
	if _, err := r.users.GetCurves(t.Context(), &tunedv1.GetCurvesRequest{Namespace: "default", Experiment: "asked", Trial: trial, MaxPoints: 2}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("2 points: got %v", err)
	}
}

// TestCostsInLists: a list says what an experiment has cost, by the hour and by a metric, as GetExperiment does.
func TestCostsInLists(t *testing.T) {
	for name, cost := range map[string]experiment.Cost{
		"by a metric": {Metric: "acc"},
		"by the hour": {PerHour: new(3600e9)}, // a nanosecond is 1
		"none":        {},
	} {
		e := asked(3)
		if name != "none" {
			e.Spec.Tuned = &experiment.Extension{Cost: &cost}
		}
		r := newRigOf(t, e)
		if err := r.tell(t.Context(), r.ask(t, 1, "").GetTrials()[0].GetName(), "0.5"); err != nil {
			t.Fatal(err)
		}
		list, err := r.users.ListExperiments(t.Context(), &tunedv1.ListExperimentsRequest{})
		if err != nil || len(list.GetExperiments()) != 1 {
			t.Fatalf("%s: %d experiments, %v", name, len(list.GetExperiments()), err)
		}
		one, err := r.users.GetExperiment(t.Context(), &tunedv1.GetExperimentRequest{Namespace: "default", Name: "asked"})
		if err != nil {
			t.Fatal(err)
		}
		got, want := list.GetExperiments()[0].GetBudget().GetCost(), one.GetBudget().GetCost()
		if got != want || (got > 0) != (name != "none") || name == "by a metric" && got != 0.5 {
			t.Errorf("%s: the list has %v, the experiment %v", name, got, want)
		}
	}
}
