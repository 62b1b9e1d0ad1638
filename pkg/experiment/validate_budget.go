package experiment

import (
	"fmt"
	"math"
)

// Bounds of what spec.tuned lists.
const maxFirstPoints = 1000

// CheckBudget returns what is wrong with the counts, the time and the cost of a spec.
func CheckBudget(s *Spec) Faults {
	v := &validator{e: &Experiment{Spec: *s}}
	v.counts()
	if s.Tuned != nil {
		v.duration("maxDuration", s.Tuned.MaxDuration)
		v.cost(s.Tuned.Cost)
	}
	return v.faults
}

func (v *validator) duration(name string, d *Duration) {
	if d != nil && *d <= 0 {
		v.add("spec.tuned."+name, Invalid, "must be longer than 0s")
	}
}

func (v *validator) cost(c *Cost) {
	const path = costPath
	if c == nil {
		return
	}
	if c.Max != nil && !(*c.Max > 0 && !math.IsInf(*c.Max, 0)) {
		v.addValue(path+".max", "must be above 0", fmt.Sprint(*c.Max))
	}
	if c.PerHour != nil && !(*c.PerHour > 0 && !math.IsInf(*c.PerHour, 0)) {
		v.addValue(path+".perHour", "must be above 0", fmt.Sprint(*c.PerHour))
	}
	if (c.PerHour == nil) == (c.Metric == "") {
		v.add(path+".perHour", Required, "either perHour or metric must be specified")
	}
}

// firstPoints checks each point against the search space, unless that has faults of its own.
func (v *validator) firstPoints(x *Extension) {
	const path = "spec.tuned.firstPoints"
	if v.tooMany(path, len(x.FirstPoints), maxFirstPoints) || len(x.FirstPoints) == 0 {
		return
	}
	if limit := v.e.Spec.MaxTrialCount; limit != nil && len(x.FirstPoints) > int(*limit) {
		v.addValue(path, fmt.Sprintf("want at most spec.maxTrialCount, which is %d", *limit), fmt.Sprint(len(x.FirstPoints)))
	}
	space, err := v.e.Spec.Space()
	if err != nil {
		return
	}
	known := make([]string, len(v.e.Spec.Parameters))
	for i, p := range v.e.Spec.Parameters {
		known[i] = p.Name
	}
	points := v.e.Spec.FirstPoints()
	for i, given := range x.FirstPoints {
		at := fmt.Sprintf("%s[%d]", path, i)
		if unknown := v.unknownNames(at, given, known); unknown {
			continue
		}
		if _, err := space.Parse(points[i]); err != nil {
			v.add(at, Invalid, err.Error())
		}
	}
}

// unknownNames reports the names of a point that no parameter has.
func (v *validator) unknownNames(path string, point map[string]string, known []string) (any bool) {
	is := make(map[string]bool, len(known))
	for _, name := range known {
		is[name] = true
	}
	for _, name := range sortedKeys(point) {
		if !is[name] {
			v.addValue(path+"."+name, "is no parameter", name, known...)
			any = true
		}
	}
	return any
}
