package experiment

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// validator collects the faults of one experiment.
type validator struct {
	e      *Experiment
	o      Options
	faults Faults
}

// Validate returns all that is wrong with an experiment that has its defaults. The rules are those
// of Katib's webhook, with the same field and type for each fault, and unless Options.Katib is
// set those of this package, which find what Katib accepts but cannot run. Faults have no position.
func Validate(e *Experiment, o Options) Faults {
	o.CommandGiven = o.CommandGiven || len(e.Local.Command) > 0
	v := &validator{e: e, o: o}
	v.names()
	v.counts()
	if v.objective(); o.Katib && len(v.faults) > 0 && v.objectiveFaulty() {
		return v.faults // Katib looks no further
	}
	v.algorithm()
	v.resumePolicy()
	v.space()
	v.trialTemplate()
	v.metricsCollector()
	if !o.Katib {
		v.extension()
		v.unmasked()
	}
	return v.faults
}

// ValidateUpdate returns what is wrong with giving an experiment a new spec: all that Validate
// finds, and any change but to the three counts. A completed experiment accepts more trials when
// it can be restarted.
func ValidateUpdate(updated, old *Experiment, o Options) Faults {
	v := &validator{e: updated, o: o}
	if !sameSpec(updated.Spec, old.Spec) {
		v.restart(old)
	}
	before := old.Spec
	before.MaxTrialCount = updated.Spec.MaxTrialCount
	before.MaxFailedTrialCount = updated.Spec.MaxFailedTrialCount
	before.ParallelTrialCount = updated.Spec.ParallelTrialCount
	if !sameSpec(updated.Spec, before) {
		v.add("spec", Forbidden, "only spec.parallelTrialCount, spec.maxTrialCount and spec.maxFailedTrialCount are editable")
	}
	return append(Validate(updated, o), v.faults...)
}

// PathResumePolicy is where a fault stands that says that an edit does not restart a completed experiment.
const PathResumePolicy = "spec.resumePolicy"

func (v *validator) restart(old *Experiment) {
	switch s := &old.Status; {
	case !s.Completed() || s.restartable(old.Spec.ResumePolicy):
	case s.Succeeded() && s.Reason() == reasonMaxTrials:
		v.add(PathResumePolicy, Invalid, "an edit restarts a completed experiment only where this is LongRunning or FromVolume; extend its budget instead")
	default:
		v.add("spec", Forbidden, fmt.Sprintf("it has ended (%s), which no edit takes back; resume it instead, or extend its budget", s.Reason()))
	}
	if limit := v.e.Spec.MaxTrialCount; limit != nil && *limit <= old.Status.Trials {
		v.add("spec.maxTrialCount", Invalid, fmt.Sprintf("must be greater than status.trials, which is %d", old.Status.Trials))
	}
}

// sameSpec compares two specs as they are stored, so that empty and absent are the same.
func sameSpec(a, b Spec) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

func (v *validator) add(path string, t FaultType, detail string) {
	v.faults = append(v.faults, Fault{Path: path, Type: t, Detail: detail})
}

// addValue adds a fault about a text that should be one of the known ones.
func (v *validator) addValue(path, detail, value string, known ...string) {
	f := Fault{Path: path, Type: Invalid, Detail: detail, Value: value}
	if len(v.faults) < maxFaults { // more are not shown
		f.Nearest = Nearest(value, known)
	}
	v.faults = append(v.faults, f)
}

// addUncovered adds the faults about fields that have none yet, neither they nor, below a
// parameter, the field around them.
func (v *validator) addUncovered(faults Faults) {
	covered := make(map[string]bool, len(v.faults))
	for _, f := range v.faults {
		covered[f.Path] = true
	}
	delete(covered, "spec") // that fault is about how its fields go together
	for _, f := range faults {
		path := f.Path
		for !covered[path] && strings.HasPrefix(path, "spec.parameters[") {
			path = path[:strings.LastIndexByte(path, '.')]
		}
		if !covered[path] {
			v.faults = append(v.faults, f)
		}
	}
}

// Names of directories, labels and hosts are made of an experiment's name and namespace, so
// beyond Katib's rule they are held to Kubernetes' own (RFC 1123).
var (
	subdomainName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	labelName     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

func (v *validator) names() {
	const longest = 40 // bytes, so that a trial's name with its suffix is a label
	name, namespace := v.e.Metadata.Name, v.e.Metadata.Namespace
	katib := name != "" && name[0] >= 'a' && name[0] <= 'z' && len(name) <= longest
	if !katib || !v.o.Katib && !subdomainName.MatchString(name) {
		v.addValue("metadata.name", fmt.Sprintf("want at most %d lower case letters, digits, '-' and '.', with a letter first, "+
			"and a letter or digit last and beside each '.'", longest), name)
	}
	if !v.o.Katib && !labelName.MatchString(namespace) {
		v.addValue("metadata.namespace", "want at most 63 lower case letters, digits and '-' within", namespace)
	}
}

func (v *validator) counts() {
	s := &v.e.Spec
	least := func(path string, count *int32, least int32, detail string) {
		if count != nil && *count < least {
			v.addValue(path, detail, fmt.Sprint(*count))
		}
	}
	least("spec.maxFailedTrialCount", s.MaxFailedTrialCount, 0, "should not be less than 0")
	least("spec.maxTrialCount", s.MaxTrialCount, 1, "must be greater than 0")
	least("spec.parallelTrialCount", s.ParallelTrialCount, 1, "must be greater than 0")
	if s.MaxTrialCount == nil {
		return
	}
	most := func(path string, count *int32) {
		if count != nil && *count > *s.MaxTrialCount {
			v.addValue(path, fmt.Sprintf("should be less than or equal to spec.maxTrialCount, which is %d", *s.MaxTrialCount),
				fmt.Sprint(*count))
		}
	}
	most("spec.maxFailedTrialCount", s.MaxFailedTrialCount)
	most("spec.parallelTrialCount", s.ParallelTrialCount)
}

func (v *validator) objective() {
	const path = "spec.objective"
	o := v.e.Spec.Objective
	if o == nil {
		v.add(path, Required, "must be specified: type and objectiveMetricName")
		return
	}
	if o.Type != objectiveMinimize && o.Type != objectiveMaximize {
		v.addValue(path+".type", "must be minimize or maximize", o.Type, objectiveMinimize, objectiveMaximize)
	}
	if o.ObjectiveMetricName == "" {
		v.add(path+".objectiveMetricName", Required, "must be specified")
	}
	if slices.Contains(o.AdditionalMetricNames, o.ObjectiveMetricName) {
		v.add(path+".additionalMetricNames", Invalid, "should not contain spec.objective.objectiveMetricName")
	}
	if v.o.Katib {
		return
	}
	for i, s := range o.MetricStrategies {
		if known := []string{strategyMin, strategyMax, strategyLatest}; !slices.Contains(known, s.Value) {
			v.addValue(fmt.Sprintf("%s.metricStrategies[%d].value", path, i), "must be min, max or latest", s.Value, known...)
		}
	}
}

func (v *validator) objectiveFaulty() bool {
	return slices.ContainsFunc(v.faults, func(f Fault) bool { return strings.HasPrefix(f.Path, "spec.objective") })
}

// algorithm leaves names and settings to Options.CheckAlgorithm; a search for an architecture is
// refused as such, whatever its algorithm.
func (v *validator) algorithm() {
	s := &v.e.Spec
	complete := s.Algorithm != nil && s.Algorithm.AlgorithmName != ""
	switch {
	case s.Algorithm == nil:
		v.add("spec.algorithm", Required, "must be specified")
	case !complete:
		v.add("spec.algorithm.algorithmName", Required, "must be specified")
	}
	if s.EarlyStopping != nil && s.EarlyStopping.AlgorithmName == "" {
		v.add("spec.earlyStopping.algorithmName", Required, "must be specified")
		complete = false
	}
	if s.Tuned != nil {
		for i := range s.Tuned.EarlyStopping {
			if s.Tuned.EarlyStopping[i].AlgorithmName == "" {
				v.add(fmt.Sprintf("spec.tuned.earlyStopping[%d].algorithmName", i), Required, "must be specified")
			}
		}
	}
	if s.NasConfig != nil && !v.o.Katib {
		v.add("spec.nasConfig", NotSupported, "neural architecture search is not run here: leave it to Katib, or list what is to be searched in spec.parameters")
		return
	}
	if complete && v.o.CheckAlgorithm != nil {
		v.faults = append(v.faults, v.o.CheckAlgorithm(s)...)
	}
}

func (v *validator) resumePolicy() {
	switch p := v.e.Spec.ResumePolicy; p {
	case "", Never, LongRunning, FromVolume:
	default:
		known := []string{string(Never), string(LongRunning), string(FromVolume)}
		v.addValue("spec.resumePolicy", "want "+strings.Join(known, ", "), string(p), known...)
	}
}
