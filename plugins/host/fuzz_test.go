package host

import (
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// conditional is a space of all kinds with a condition.
func conditional(t testing.TB) *searchspace.Space {
	t.Helper()
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "lr", Kind: searchspace.Double, Distribution: searchspace.LogNormal, Min: 0.25, Max: 4, Step: 0.25},
		{Name: "model", Kind: searchspace.Categorical, Values: []string{"tree", "net"}},
		{Name: "layers", Kind: searchspace.Int, Min: 1, Max: 3, ActiveWhen: &searchspace.Condition{Parent: "model", Values: []string{"net"}}},
		{Name: "batch", Kind: searchspace.Discrete, Values: []string{"8", "16"}, Numbers: []float64{8, 16}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return space
}

// add makes messages the seeds of a fuzz target.
func add(f *testing.F, messages ...proto.Message) {
	f.Helper()
	for _, m := range messages {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint8(2))
	}
}

func FuzzSuggestions(f *testing.F) {
	space := conditional(f)
	right := &pluginv1.Suggestions{Suggestions: []*pluginv1.Suggestion{
		{Id: 1, Point: []float64{0.5, 0, math.NaN(), 8}, Memo: []byte("m")},
		{Id: 2, Point: []float64{4, 1, 3, 16}},
	}}
	short := &pluginv1.Suggestions{Suggestions: right.Suggestions[:1], Reason: pluginv1.Suggestions_REASON_WAIT}
	add(f, &pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Suggestions{Suggestions: right}},
		&pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Suggestions{Suggestions: short}},
		&pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Opened{Opened: &pluginv1.Opened{}}})
	f.Fuzz(func(t *testing.T, b []byte, n uint8) {
		reply := &pluginv1.SuggestResponse{}
		if proto.Unmarshal(b, reply) != nil {
			return
		}
		ids := make([]uint64, n)
		for i := range ids {
			ids[i] = uint64(i + 1)
		}
		out, reason, err := readSuggestions(reply, space, ids, 0)
		switch {
		case err != nil:
			return
		case len(out) > len(ids), len(out) < len(ids) && reason == nil, errors.Is(reason, algorithms.ErrWait) && len(out) == 0:
			t.Fatalf("%d suggestions to %d asked, reason %v", len(out), n, reason)
		}
		for i, s := range out {
			if s.ID != ids[i] || space.Contains(s.Point) != nil || len(s.Memo) > maxMemo {
				t.Errorf("suggestion %d is for %d, at %v", i, s.ID, s.Point)
			}
			space.Format(s.Point)
		}
	})
}

func FuzzDefinitions(f *testing.F) {
	setting := &pluginv1.Setting{Name: "rate", Type: pluginv1.Setting_TYPE_FLOAT, Help: "h", DefaultValue: "0.5", Max: 1, OpenMin: true}
	add(f, &pluginv1.ListAlgorithmsResponse{Algorithms: []*pluginv1.Algorithm{{
		Name: "a", Aliases: []string{"b"}, Summary: "s", Kinds: []pluginv1.Kind{1, 4}, Settings: []*pluginv1.Setting{setting}, Check: true,
	}}}, &pluginv1.ListAlgorithmsResponse{})
	f.Fuzz(func(t *testing.T, b []byte, _ uint8) {
		reply := &pluginv1.ListAlgorithmsResponse{}
		if proto.Unmarshal(b, reply) != nil {
			return
		}
		defs, err := readDefinitions(reply)
		if err != nil {
			return
		}
		if _, err := algorithms.NewRegistry(defs...); err != nil || len(defs) == 0 {
			t.Fatalf("%d definitions: %v", len(defs), err)
		}
		for _, d := range defs {
			for _, s := range d.Settings { // whatever users write
				_, _ = algorithms.Parse(d, []algorithms.RawSetting{{Name: s.Name, Value: "1"}}, "")
			}
		}
	})
}

func FuzzInsight(f *testing.F) {
	p := algorithms.Problem{Space: conditional(f), Objectives: 1, Parallel: 1}
	band := &pluginv1.Band{Mean: 1, Low: 0, High: 2}
	point := &pluginv1.Slice{Values: []float64{1}, Bands: []*pluginv1.Band{band}}
	none := &pluginv1.Importance{}
	add(f, &pluginv1.InsightResponse{
		Trials: 1, At: []float64{0.5, 0, math.NaN(), 8},
		Promise: []*pluginv1.Numbers{{Numbers: []float64{1}}, {}, {}, {}},
		Outputs: []*pluginv1.Output{{
			Importance: []*pluginv1.Importance{{Alone: 0.5, Total: 1}, none, none, none},
			Slices:     []*pluginv1.Slice{point, {}, {}, {}},
			Planes:     []*pluginv1.Plane{{Second: 1, FirstValues: []float64{1}, SecondValues: []float64{0}, Bands: []*pluginv1.Band{band}}},
			LeftOut:    []*pluginv1.LeftOut{{Id: 1, Band: band}},
		}},
	})
	f.Fuzz(func(t *testing.T, b []byte, _ uint8) {
		reply := &pluginv1.InsightResponse{}
		if proto.Unmarshal(b, reply) != nil {
			return
		}
		in, err := readInsight(reply, p, []algorithms.Trial{{ID: 1}})
		if err != nil {
			return
		}
		d := p.Space.Len()
		if p.Space.Contains(in.At) != nil || len(in.Outputs) != 1 || len(in.Promise) != 0 && len(in.Promise) != d {
			t.Fatalf("at %v, %d outputs, promise of %d parameters", in.At, len(in.Outputs), len(in.Promise))
		}
		o := in.Outputs[0]
		if len(o.Importance) != d || len(o.Slices) != d {
			t.Errorf("importance of %d, slices of %d", len(o.Importance), len(o.Slices))
		}
		for i, line := range in.Promise {
			if len(line) != len(o.Slices[i]) {
				t.Errorf("promise of %d points, slice of %d", len(line), len(o.Slices[i]))
			}
		}
		for _, plane := range o.Planes {
			if len(plane.Bands) != len(plane.Values[0]) {
				t.Errorf("%d rows for %d values", len(plane.Bands), len(plane.Values[0]))
			}
			_, _ = o.Slices[plane.Parameters[0]], o.Slices[plane.Parameters[1]]
		}
	})
}

// FuzzSettle wants a point that is off by rounding to become one of the space that is hardly another, and one that is
// not to stay none.
func FuzzSettle(f *testing.F) {
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "a", Kind: searchspace.Double, Min: -1, Max: 3},
		{Name: "b", Kind: searchspace.Double, Distribution: searchspace.LogUniform, Min: 1e-6, Max: 1},
		{Name: "c", Kind: searchspace.Double, Min: 0.1, Max: 0.9, Step: 0.1},
		{Name: "d", Kind: searchspace.Int, Min: -2, Max: 9},
		{Name: "e", Kind: searchspace.Int, Max: 1 << 52},
		{Name: "f", Kind: searchspace.Categorical, Values: []string{"x", "y"}},
	})
	if err != nil {
		f.Fatal(err)
	}
	params := space.Parameters()
	f.Add(3+1e-15, 1+1e-16, 0.1+2*0.1, 2-1e-15, 7.5, 1.0)
	f.Add(0.5, math.NaN(), 0.25, math.Inf(1), -1e300, 5e-324)
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g float64) {
		p := searchspace.Point{a, b, c, d, e, g}
		before := slices.Clone(p)
		got := settle(p, space)
		if !slices.EqualFunc(p, before, func(x, y float64) bool { return x == y || x != x && y != y }) {
			t.Fatalf("%v became %v", before, p)
		}
		if got == nil {
			if space.Contains(p) == nil {
				t.Fatalf("%v is in the space, but nothing becomes of it", p)
			}
			return
		}
		if err := space.Contains(got); err != nil {
			t.Fatalf("%v becomes %v: %v", p, got, err)
		}
		for i, v := range got {
			if limit := 1e-12 * max(math.Abs(params[i].Min), math.Abs(params[i].Max)); math.Abs(v-p[i]) > limit {
				t.Errorf("coordinate %d becomes %v, was %v", i, v, p[i])
			}
		}
	})
}
