package main

import "time"

// etaText says when a budget is used up; "" when that cannot be said, as when trials run longer than those
// before, which leaves nothing to judge from.
func etaText(known bool, left time.Duration) string {
	switch {
	case !known || left <= 0:
		return ""
	case left < time.Second:
		return "<1s"
	}
	return clock(left)
}

// eta estimates the time until a budget is used up from the durations of finished trials, the
// ages of the running ones and the number of trials that have not ended (the running ones among
// them): all work that remains, at the mean duration, spread evenly over the parallel trials.
// False means that there is nothing to judge from, or nothing to wait for.
func eta(finished, running []time.Duration, remaining, parallel int) (time.Duration, bool) {
	if len(finished) == 0 || remaining <= 0 || parallel <= 0 {
		return 0, false
	}
	var sum float64 // seconds; a sum of durations may overflow
	for _, d := range finished {
		sum += d.Seconds()
	}
	mean := sum / float64(len(finished))
	work := mean * float64(remaining)
	for _, age := range running {
		work -= min(max(age.Seconds(), 0), mean)
	}
	left := max(work, 0) / float64(min(parallel, remaining))
	const longest = float64(1<<63-1) / float64(time.Second)
	return time.Duration(min(left, longest*0.99) * float64(time.Second)), true
}
