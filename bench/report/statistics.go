package report

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a mean with its confidence interval.
type Interval struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

const (
	resamples  = 10_000
	confidence = 0.95
)

// sample is one figure of a run, or of a pair of runs.
type sample struct {
	cluster string
	value   float64
}

// bootstrap returns the mean of the samples and the percentile interval of it when whole clusters
// are drawn with replacement (Davison and Hinkley 1997, section 3.8): problems that differ in
// instance or size alone are no independent evidence. The same samples give the same interval. With
// fewer than two clusters nothing can be said, and the interval is infinite.
func bootstrap(samples []sample) Interval {
	sums, counts := clusterSums(samples)
	total, n := 0.0, 0.0
	for i := range sums {
		total += sums[i]
		n += counts[i]
	}
	out := Interval{Mean: total / n, Low: math.Inf(-1), High: math.Inf(1)}
	if len(sums) < 2 {
		return out
	}
	source := rand.New(rand.NewPCG(1, uint64(len(samples))))
	means := make([]float64, resamples)
	for r := range means {
		total, n := 0.0, 0.0
		for range sums {
			i := source.IntN(len(sums))
			total += sums[i]
			n += counts[i]
		}
		means[r] = total / n
	}
	slices.Sort(means)
	out.Low = quantile(means, (1-confidence)/2)
	out.High = quantile(means, (1+confidence)/2)
	return out
}

// clusterSums returns the sum and number of the samples of each cluster, clusters by name.
func clusterSums(samples []sample) (sums, counts []float64) {
	byName := slices.Clone(samples)
	slices.SortStableFunc(byName, func(a, b sample) int { return compareText(a.cluster, b.cluster) })
	for i, s := range byName {
		if i == 0 || s.cluster != byName[i-1].cluster {
			sums = append(sums, 0)
			counts = append(counts, 0)
		}
		sums[len(sums)-1] += s.value
		counts[len(counts)-1]++
	}
	return sums, counts
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// quantile interpolates between the order statistics of ascending values (Hyndman and Fan 1996,
// type 7). It is NaN without values.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	k := int(at)
	if k+1 >= len(sorted) || sorted[k] == sorted[k+1] {
		return sorted[k]
	}
	return sorted[k] + (at-float64(k))*(sorted[k+1]-sorted[k])
}

// quantiles returns some quantiles of values in any order.
func quantiles(values []float64, qs ...float64) []float64 {
	sorted := slices.Sorted(slices.Values(values))
	out := make([]float64, len(qs))
	for i, q := range qs {
		out[i] = quantile(sorted, q)
	}
	return out
}

// Spread returns the median and the 95 % quantile of values in any order, NaN without values.
func Spread(values []float64) (p50, p95 Figure) {
	q := quantiles(values, 0.5, 0.95)
	return Figure(q[0]), Figure(q[1])
}

// mean is NaN without values.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// ranks returns the rank of each value among them, 1 for the least; equal ones share the mean of
// their ranks.
func ranks(values []float64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		less, equal := 0, 0
		for _, w := range values {
			switch {
			case w < v:
				less++
			case w == v:
				equal++
			}
		}
		out[i] = float64(less) + float64(equal+1)/2
	}
	return out
}

// winMinusLoss is the share of negative values less that of positive ones.
func winMinusLoss(differences []float64) float64 {
	sum := 0.0
	for _, d := range differences {
		switch {
		case d < 0:
			sum++
		case d > 0:
			sum--
		}
	}
	return sum / float64(len(differences))
}
