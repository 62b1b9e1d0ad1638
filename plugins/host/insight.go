package host

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// readInsight reads what a model makes of finished trials. Numbers may be infinite, but not NaN, and
// lists have the lengths that the contract says.
func readInsight(reply *pluginv1.InsightResponse, p algorithms.Problem, finished []algorithms.Trial) (out algorithms.Insight, err error) {
	d := p.Space.Len()
	if n := reply.GetTrials(); n < 0 || n > int64(len(finished)) {
		return out, fmt.Errorf("it is made of %d trials, there are %d", n, len(finished))
	}
	if err := p.Space.Contains(reply.GetAt()); err != nil {
		return out, fmt.Errorf("at: %w", err)
	}
	if got, want := len(reply.GetOutputs()), p.Objectives+p.Constraints; got != want {
		return out, fmt.Errorf("it has %d outputs, there are %d objectives and constraints", got, want)
	}
	ids := make(map[uint64]bool, len(finished))
	for _, t := range finished {
		ids[t.ID] = true
	}
	out = algorithms.Insight{Trials: int(reply.GetTrials()), At: reply.GetAt()}
	for k, o := range reply.GetOutputs() {
		output, err := readOutput(o, d, ids)
		if err == nil {
			err = sameLengths(output.Slices, reply.GetPromise())
		}
		if err != nil {
			return algorithms.Insight{}, fmt.Errorf("outputs[%d]: %w", k, err)
		}
		out.Outputs = append(out.Outputs, output)
	}
	for _, numbers := range reply.GetPromise() {
		if slices.ContainsFunc(numbers.GetNumbers(), math.IsNaN) {
			return algorithms.Insight{}, errors.New("a promise is NaN")
		}
		out.Promise = append(out.Promise, numbers.GetNumbers())
	}
	return out, nil
}

// sameLengths wants promise, if there is any, parallel to slices.
func sameLengths(lines [][]algorithms.Slice, promise []*pluginv1.Numbers) error {
	if len(promise) == 0 {
		return nil
	}
	if len(promise) != len(lines) {
		return fmt.Errorf("promise is for %d parameters, slices are for %d", len(promise), len(lines))
	}
	for i, line := range lines {
		if n := len(promise[i].GetNumbers()); n != len(line) {
			return fmt.Errorf("slices[%d] has %d points, its promise %d", i, len(line), n)
		}
	}
	return nil
}

// readOutput reads an output over d parameters, made of trials with the given IDs.
func readOutput(o *pluginv1.Output, d int, ids map[uint64]bool) (out algorithms.OutputInsight, err error) {
	if n, m := len(o.GetImportance()), len(o.GetSlices()); n != d || m != d {
		return out, fmt.Errorf("importance is of %d parameters, slices are of %d, there are %d", n, m, d)
	}
	for i, v := range o.GetImportance() {
		if math.IsNaN(v.GetAlone()) || math.IsNaN(v.GetTotal()) {
			return out, fmt.Errorf("importance[%d] is NaN", i)
		}
		out.Importance = append(out.Importance, algorithms.Importance{Alone: v.GetAlone(), Total: v.GetTotal()})
	}
	for i, s := range o.GetSlices() {
		line, err := readSlice(s)
		if err != nil {
			return out, fmt.Errorf("slices[%d]: %w", i, err)
		}
		out.Slices = append(out.Slices, line)
	}
	for i, p := range o.GetPlanes() {
		plane, err := readPlane(p, d)
		if err != nil {
			return out, fmt.Errorf("planes[%d]: %w", i, err)
		}
		out.Planes = append(out.Planes, plane)
	}
	for i, l := range o.GetLeftOut() {
		band, err := readBand(l.GetBand())
		switch {
		case err != nil:
			return out, fmt.Errorf("left_out[%d]: %w", i, err)
		case !ids[l.GetId()]:
			return out, fmt.Errorf("left_out[%d]: there is no trial %d", i, l.GetId())
		case math.IsNaN(l.GetValue()) || math.IsNaN(l.GetResidual()):
			return out, fmt.Errorf("left_out[%d]: value or residual is NaN", i)
		}
		out.LeftOut = append(out.LeftOut, algorithms.LeftOut{ID: l.GetId(), Value: l.GetValue(), Band: band, Residual: l.GetResidual()})
	}
	return out, nil
}

func readSlice(s *pluginv1.Slice) (out []algorithms.Slice, err error) {
	if n, m := len(s.GetValues()), len(s.GetBands()); n != m {
		return nil, fmt.Errorf("there are %d values and %d bands", n, m)
	}
	for i, v := range s.GetValues() {
		band, err := readBand(s.GetBands()[i])
		if err != nil || math.IsNaN(v) {
			return nil, fmt.Errorf("value or band %d is NaN", i)
		}
		out = append(out, algorithms.Slice{Value: v, Band: band})
	}
	return out, nil
}

func readPlane(p *pluginv1.Plane, d int) (out algorithms.Plane, err error) {
	first, second := int(p.GetFirst()), int(p.GetSecond())
	if first == second || min(first, second) < 0 || max(first, second) >= d {
		return out, fmt.Errorf("parameters %d and %d are no two of %d", first, second, d)
	}
	rows, columns := len(p.GetFirstValues()), len(p.GetSecondValues())
	if n := len(p.GetBands()); n != rows*columns {
		return out, fmt.Errorf("there are %d bands for %d by %d values", n, rows, columns)
	}
	if slices.ContainsFunc(append(slices.Clone(p.GetFirstValues()), p.GetSecondValues()...), math.IsNaN) {
		return out, errors.New("a value is NaN")
	}
	out = algorithms.Plane{Parameters: [2]int{first, second}, Values: [2][]float64{p.GetFirstValues(), p.GetSecondValues()}}
	for row := range rows {
		bands := make([]algorithms.Band, columns)
		for k := range bands {
			if bands[k], err = readBand(p.GetBands()[row*columns+k]); err != nil {
				return out, err
			}
		}
		out.Bands = append(out.Bands, bands)
	}
	return out, nil
}

func readBand(b *pluginv1.Band) (algorithms.Band, error) {
	if math.IsNaN(b.GetMean()) || math.IsNaN(b.GetLow()) || math.IsNaN(b.GetHigh()) {
		return algorithms.Band{}, errors.New("a band is NaN")
	}
	return algorithms.Band{Mean: b.GetMean(), Low: b.GetLow(), High: b.GetHigh()}, nil
}
