package main

import (
	"fmt"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// advise says what a spec will not get on this machine.
func advise(s *experiment.Spec) (warnings experiment.Faults) {
	warnings = append(warnings, notLookedAt(s)...)
	warnings = append(warnings, adviseSettings(s)...)
	if path, ok := sharedPath(s); ok && count(s.ParallelTrialCount, 1) > 1 {
		warnings = append(warnings, experiment.Fault{
			Path: "spec.metricsCollectorSpec.source.fileSystemPath.path", Type: experiment.NotSupported,
			Detail: "trials run here one at a time, because each writes its metrics to " + path,
		})
	}
	return warnings
}

// notLookedAt names what of spec.tuned the algorithm does no justice to.
func notLookedAt(s *experiment.Spec) (warnings experiment.Faults) {
	if s.Algorithm == nil || s.Tuned == nil {
		return nil
	}
	def, _ := builtin.Registry().Lookup(s.Algorithm.AlgorithmName) // one that is not known has a fault of its own
	for _, x := range []struct {
		field         string
		given, served bool
		detail        string
	}{
		{"objectives", len(s.Tuned.Objectives) > 0, def.Objectives, "minds spec.objective alone; the others are recorded, and the front is found among what it tries"},
		{"constraints", len(s.Tuned.Constraints) > 0, def.Constraints, "does not look at constraints; the best is found among the feasible trials of what it tries"},
		{"warmStart", len(s.Tuned.WarmStart) > 0, def.Priors, "learns nothing from other experiments"},
	} {
		if def.Name != "" && x.given && !x.served {
			warnings = append(warnings, experiment.Fault{
				Path: "spec.tuned." + x.field, Type: experiment.NotSupported, Detail: fmt.Sprintf("algorithm %s %s", def.Name, x.detail),
			})
		}
	}
	return warnings
}

// adviseSettings passes on what the algorithm advises, each at its setting; a default has the place of the
// algorithm, and what is about the budget that of the budget.
func adviseSettings(s *experiment.Spec) (warnings experiment.Faults) {
	if s.Algorithm == nil {
		return nil
	}
	def, advice := adviceOf(s)
	for _, a := range advice {
		path, about := "spec.algorithm", a.Setting+": "
		if a.Setting == "" {
			path, about = "spec.maxTrialCount", ""
		}
		for i, given := range s.Algorithm.AlgorithmSettings {
			if given.Name == a.Setting {
				path = fmt.Sprintf("spec.algorithm.algorithmSettings[%d]", i)
			}
		}
		warnings = append(warnings, experiment.Fault{
			Path: path, Type: experiment.NotSupported, Detail: fmt.Sprintf("algorithm %s: %s%s", def.Name, about, a.Text),
		})
	}
	return warnings
}

// adviceOf asks the algorithm of a spec for advice, unless there are faults, which are reported as such.
func adviceOf(s *experiment.Spec) (def algorithms.Definition, advice []algorithms.Advice) {
	def, values, unknown := chosenAlgorithm(s)
	p, incomplete := tuner.Problem(s)
	if s.Tuned != nil {
		p.Priors = make([]algorithms.Prior, len(s.Tuned.WarmStart)) // what is in them is not known yet
	}
	if def.Advise != nil && unknown == nil && incomplete == nil && algorithms.Check(def, p, values) == nil {
		advice = def.Advise(p, values)
	}
	return def, advice
}

// sharedPath returns the file or folder that all trials write their metrics to.
func sharedPath(s *experiment.Spec) (path string, ok bool) {
	m := s.MetricsCollectorSpec
	if m == nil || m.Collector == nil || m.Source == nil || m.Source.FileSystemPath == nil {
		return "", false
	}
	kind := m.Collector.Kind
	return m.Source.FileSystemPath.Path, kind == experiment.File || kind == experiment.TensorFlowEvent
}

// checkAlgorithm reports what the registry has against a spec's algorithm and early stopping.
func checkAlgorithm(s *experiment.Spec) experiment.Faults {
	var faults experiment.Faults
	add := func(path string, err error) {
		if err != nil {
			faults = append(faults, experiment.Fault{Path: path, Type: experiment.Invalid, Detail: err.Error()})
		}
	}
	checkRules(s, add)
	if s.Algorithm == nil || s.Algorithm.AlgorithmName == "" {
		return faults // a missing name is found without the registry
	}
	def, err := builtin.Registry().Lookup(s.Algorithm.AlgorithmName)
	if err == nil && def.New == nil {
		err = fmt.Errorf("algorithm %q is %w", def.Name, algorithms.ErrNotBuilt)
	}
	if err != nil {
		add("spec.algorithm.algorithmName", err)
		return faults
	}
	values, ok := checkSettings("algorithm "+def.Name, def.Settings, s.Algorithm, "spec.algorithm", add)
	if p, err := tuner.Problem(s); ok && err == nil { // a space with faults is reported as such
		add("spec.algorithm", algorithms.Check(def, p, values))
	}
	if s.Tuned != nil && s.Tuned.Termination != nil && def.Remaining == nil {
		add("spec.tuned.termination", fmt.Errorf("algorithm %s cannot tell what further trials would improve; use %s, or leave it out",
			def.Name, experiment.DefaultAlgorithm))
	}
	return faults
}

// checkRules reports what is wrong with early-stopping rules. A missing name is found without the registry.
func checkRules(s *experiment.Spec, add func(path string, err error)) {
	rules := s.EarlyStoppingRules()
	for i, r := range rules {
		path := "spec.earlyStopping"
		if r != s.EarlyStopping {
			path = fmt.Sprintf("spec.tuned.earlyStopping[%d]", i-len(rules)+len(s.Tuned.EarlyStopping))
		}
		if r.AlgorithmName != "" {
			checkRule(r, path, add)
		}
	}
}

func checkRule(given *experiment.Algorithm, path string, add func(path string, err error)) {
	def, err := builtin.Pruners().Lookup(given.AlgorithmName)
	if err != nil {
		add(path+".algorithmName", err)
		return
	}
	values, ok := checkSettings("early stopping rule "+def.Name, def.Settings, given, path, add)
	if ok {
		_, err := algorithms.NewPruner(def, algorithms.Problem{}, values)
		add(path, err)
	}
}

// checkSettings reports each fault at the setting that has it, and those of several settings
// together at the list.
func checkSettings(of string, known []algorithms.Setting, given *experiment.Algorithm, path string, add func(path string, err error)) (algorithms.Values, bool) {
	path += ".algorithmSettings"
	raw := tuner.RawSettings(given)
	values, err := algorithms.ParseSettings(of, known, raw, "")
	if err == nil {
		return values, true
	}
	alone := slices.Clone(known)
	for i := range alone {
		alone[i].Required = false
	}
	found := map[string]bool{}
	for i := range raw {
		if _, err := algorithms.ParseSettings(of, alone, raw[i:i+1], ""); err != nil {
			add(fmt.Sprintf("%s[%d]", path, i), err)
			found[err.Error()] = true
		}
	}
	for _, err := range parts(err) {
		if !found[err.Error()] {
			add(path, err)
		}
	}
	return nil, false
}

// parts takes errors.Join apart.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// firstTrial returns the parameters of the first trial that a checked spec leads to.
func firstTrial(s *experiment.Spec) ([]experiment.Pair, error) {
	p, err := tuner.Problem(s)
	if err != nil {
		return nil, err
	}
	def, values, err := chosenAlgorithm(s)
	if err != nil {
		return nil, err
	}
	suggester, err := algorithms.New(def, p, values)
	if err != nil {
		return nil, err
	}
	suggestions, err := suggester.Ask([]uint64{1}, nil)
	if len(suggestions) == 0 {
		return nil, fmt.Errorf("ask %s for a trial: %w", def.Name, err)
	}
	return p.Space.Format(suggestions[0].Point), nil
}

// chosenAlgorithm returns the algorithm that a spec names, with the settings that it will run with.
func chosenAlgorithm(s *experiment.Spec) (algorithms.Definition, algorithms.Values, error) {
	def, err := builtin.Registry().Lookup(s.Algorithm.AlgorithmName)
	if err != nil {
		return def, nil, err
	}
	values, err := algorithms.Parse(def, tuner.RawSettings(s.Algorithm), "")
	return def, values, err
}
