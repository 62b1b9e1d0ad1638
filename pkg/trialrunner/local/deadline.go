package local

import (
	"math"
	"strings"
	"time"
)

// deadline returns how long the template lets a trial run, 0 where it does not say: the least
// activeDeadlineSeconds of the object, of its run policy and of the pod that stands for it here.
func deadline(template map[string]any) (least time.Duration, err error) {
	kind, _ := template["kind"].(string)
	places := []string{"spec", "spec.runPolicy"}
	if _, path, err := podSpec(template, kind); err == nil && path != "spec" {
		places = append(places, path)
	}
	for _, place := range places {
		given, there := at(template, strings.Split(place, ".")...)["activeDeadlineSeconds"]
		if !there || given == nil {
			continue
		}
		limit, ok := seconds(given)
		if !ok {
			return 0, unsupported("%s.activeDeadlineSeconds: want a whole number of seconds above 0, got %v", place, given)
		}
		least = sooner(least, limit)
	}
	return least, nil
}

// seconds reads a whole number of seconds above 0; more than a Duration holds is as long as one can be.
func seconds(v any) (time.Duration, bool) {
	n, ok := number(v)
	if !ok || n < 1 || n != math.Trunc(n) {
		return 0, false
	}
	if n >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * time.Second, true
}

// sooner returns the shorter of two limits, of which 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

// retries returns how many failed attempts the template's Job follows by another one. A Job that does not
// say has one attempt: Kubernetes' own default, 6, would run what is broken seven times.
func retries(template map[string]any) (int, error) {
	limit, given := at(template, "spec")["backoffLimit"]
	if template["kind"] != "Job" || !given || limit == nil {
		return 0, nil
	}
	n, ok := number(limit)
	if !ok || n < 0 || n != math.Trunc(n) || n > math.MaxInt32 {
		return 0, unsupported("spec.backoffLimit: want a whole number from 0, got %v", limit)
	}
	return int(n), nil
}
