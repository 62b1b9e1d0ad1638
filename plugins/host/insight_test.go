package host_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// model is a right insight into trial 1 of the small problem.
func model() *pluginv1.InsightResponse {
	band := &pluginv1.Band{Mean: 1, Low: 0, High: 2}
	line := func(values ...float64) *pluginv1.Slice {
		s := &pluginv1.Slice{Values: values}
		for range values {
			s.Bands = append(s.Bands, band)
		}
		return s
	}
	return &pluginv1.InsightResponse{
		Trials: 1, At: tree,
		Promise: []*pluginv1.Numbers{{Numbers: []float64{1, 2}}, {Numbers: []float64{0}}, {}},
		Outputs: []*pluginv1.Output{{
			Importance: []*pluginv1.Importance{{Alone: 0.5, Total: 1}, {}, {}},
			Slices:     []*pluginv1.Slice{line(0, 1), line(1), line()},
			Planes:     []*pluginv1.Plane{{First: 0, Second: 1, FirstValues: []float64{0, 1}, SecondValues: []float64{0}, Bands: []*pluginv1.Band{band, band}}},
			LeftOut:    []*pluginv1.LeftOut{{Id: 1, Value: 3, Band: band, Residual: 2}},
		}},
	}
}

// wrongModels changes a right one.
var wrongModels = []struct {
	name   string
	change func(r *pluginv1.InsightResponse, o *pluginv1.Output)
	want   string // "" when it stays right
}{
	{"right", func(*pluginv1.InsightResponse, *pluginv1.Output) {}, ""},
	{"without-promise", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Promise = nil }, ""},
	{"of-more-trials", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Trials = 2 }, "it is made of 2 trials, there are 1"},
	{"of-no-number-of-trials", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Trials = -1 }, "it is made of -1 trials"},
	{"nowhere", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.At = nil }, "at: point has 0 coordinates"},
	{"outside", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.At = []float64{2, 0, nan} }, "at: parameters[0] (lr): 2 is outside"},
	{"no-output", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Outputs = nil }, "it has 0 outputs, there are 1 objectives and constraints"},
	{"more-outputs", func(r *pluginv1.InsightResponse, o *pluginv1.Output) { r.Outputs = append(r.Outputs, o) }, "it has 2 outputs"},
	{"importance-of-few", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Importance = o.Importance[1:] }, "outputs[0]: importance is of 2 parameters"},
	{"importance-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Importance[1].Total = nan }, "importance[1] is NaN"},
	{"slices-of-few", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Slices = o.Slices[1:] }, "slices are of 2, there are 3"},
	{"slice-without-band", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Slices[0].Bands = nil }, "slices[0]: there are 2 values and 0 bands"},
	{"slice-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Slices[0].Values[1] = nan }, "slices[0]: value or band 1 is NaN"},
	{"band-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Slices[1].Bands[0].High = nan }, "is NaN"},
	{"promise-of-few", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Promise = r.Promise[1:] }, "promise is for 2 parameters, slices are for 3"},
	{"promise-of-another-length", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Promise[2].Numbers = []float64{1} }, "slices[2] has 0 points, its promise 1"},
	{"promise-nan", func(r *pluginv1.InsightResponse, _ *pluginv1.Output) { r.Promise[0].Numbers[0] = nan }, "a promise is NaN"},
	{"plane-of-one", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Planes[0].Second = 0 }, "planes[0]: parameters 0 and 0 are no two of 3"},
	{"plane-of-a-fourth", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Planes[0].Second = 3 }, "parameters 0 and 3 are no two of 3"},
	{"plane-before-the-first", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Planes[0].First = -1 }, "parameters -1 and 1 are no two of 3"},
	{"plane-with-a-hole", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Planes[0].Bands = o.Planes[0].Bands[1:] }, "there are 1 bands for 2 by 1 values"},
	{"plane-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.Planes[0].FirstValues[0] = nan }, "a value is NaN"},
	{"plane-of-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) {
		o.Planes[0].Bands[1] = &pluginv1.Band{Mean: nan}
	}, "a band is NaN"},
	{"stranger-left-out", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.LeftOut[0].Id = 2 }, "left_out[0]: there is no trial 2"},
	{"left-out-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.LeftOut[0].Residual = nan }, "left_out[0]: value or residual is NaN"},
	{"left-out-of-nan", func(_ *pluginv1.InsightResponse, o *pluginv1.Output) { o.LeftOut[0].Band = &pluginv1.Band{Low: nan} }, "left_out[0]: a band is NaN"},
}

func TestWrongInsight(t *testing.T) {
	failures := map[string]error{
		"3 trials are too few":               status.Error(codes.FailedPrecondition, "3 trials are too few"),
		"the plugin is at fault: Unknown: x": errors.New("x"),
	}
	names := []string{"failure"}
	replies := map[string]*pluginv1.InsightResponse{}
	for _, tt := range wrongModels {
		replies[tt.name] = model()
		tt.change(replies[tt.name], replies[tt.name].GetOutputs()[:1][0])
		names = append(names, tt.name)
	}
	var failure error
	plugin := &rogue{list: offer(names...), insight: func(algorithm string) (*pluginv1.InsightResponse, error) {
		if algorithm == "failure" {
			return nil, failure
		}
		return replies[algorithm], nil
	}}
	defs, err := plugin.definitions(t, patience)
	if err != nil {
		t.Fatal(err)
	}
	finished := []algorithms.Trial{{ID: 1, State: algorithms.Succeeded, Point: tree, Losses: []float64{3}}}
	for _, tt := range wrongModels {
		got, err := defs[tt.name].Insight(small(t), algorithms.Values{}, finished)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if err != nil && got.Outputs != nil {
			t.Errorf("%s: %v, and yet %v", tt.name, err, got)
		}
	}
	for want, err := range failures {
		failure = err
		if _, got := defs["failure"].Insight(small(t), algorithms.Values{}, finished); got == nil || got.Error() != want {
			t.Errorf("got %v, want %q", got, want)
		}
	}
}
