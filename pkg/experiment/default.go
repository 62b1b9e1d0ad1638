package experiment

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Default is one default that was applied, and why.
type Default struct {
	Path   string
	Value  string // JSON for anything but text
	Reason string
}

// The conditions that Katib gives to the kinds of job it knows, as gjson expressions.
const (
	conditionComplete  = `status.conditions.#(type=="Complete")#|#(status=="True")#`
	conditionSucceeded = `status.conditions.#(type=="Succeeded")#|#(status=="True")#`
	conditionFailed    = `status.conditions.#(type=="Failed")#|#(status=="True")#`
)

// Where Katib's collectors look when the experiment does not say.
const (
	defaultMetricsFile    = "/var/log/katib/metrics.log"
	defaultEventDirectory = "/var/log/katib/tfevent/"
	defaultScrapePath     = "/metrics"
	defaultScrapePort     = 8080
)

// DefaultNamespace is that of an experiment which names none.
const DefaultNamespace = "default"

// SetDefaults fills what the experiment leaves out, in Katib's order and with Katib's values, and
// returns what it did. Fields of ours beyond Katib's API are left as they are.
func SetDefaults(e *Experiment) []Default {
	var d defaulter
	d.text(&e.Metadata.Namespace, "metadata.namespace", DefaultNamespace, "no namespace is named")
	if e.Spec.ParallelTrialCount == nil {
		e.Spec.ParallelTrialCount = new(int32(3))
		d.note("spec.parallelTrialCount", "3", "three trials at a time unless the experiment says otherwise")
	}
	if e.Spec.ResumePolicy == "" {
		e.Spec.ResumePolicy = Never
		d.note("spec.resumePolicy", string(Never), "a completed experiment stays as it is")
	}
	d.furtherMetrics(&e.Spec)
	d.objective(&e.Spec)
	d.trialTemplate(e.Spec.TrialTemplate)
	d.metricsCollector(&e.Spec)
	for i := range e.Spec.Parameters {
		path := fmt.Sprintf("spec.parameters[%d].feasibleSpace.distribution", i)
		d.text(&e.Spec.Parameters[i].FeasibleSpace.Distribution, path, "uniform", "no distribution is named")
	}
	return d.applied
}

// DefaultAlgorithm is that of an experiment which names none. Katib refuses such a one.
const DefaultAlgorithm = "auto"

// setAlgorithm names an algorithm where none is named. Settings alone are those of an algorithm that was forgotten.
func setAlgorithm(s *Spec) []Default {
	if a := s.Algorithm; a != nil && (a.AlgorithmName != "" || len(a.AlgorithmSettings) > 0) {
		return nil
	}
	var d defaulter
	s.Algorithm = &Algorithm{}
	d.text(&s.Algorithm.AlgorithmName, "spec.algorithm.algorithmName", DefaultAlgorithm, "no algorithm is named: one is chosen")
	return d.applied
}

type defaulter struct{ applied []Default }

func (d *defaulter) note(path, value, reason string) {
	d.applied = append(d.applied, Default{Path: path, Value: value, Reason: reason})
}

// text sets an empty field.
func (d *defaulter) text(field *string, path, value, reason string) {
	if *field == "" {
		*field = value
		d.note(path, value, reason)
	}
}

// furtherMetrics makes the metrics of spec.tuned's objectives, constraints and cost be collected.
func (d *defaulter) furtherMetrics(s *Spec) {
	o := s.Objective
	if o == nil {
		return
	}
	for _, m := range s.furtherMetrics() {
		if m.name == o.ObjectiveMetricName || slices.Contains(o.AdditionalMetricNames, m.name) {
			continue
		}
		d.note(fmt.Sprintf("spec.objective.additionalMetricNames[%d]", len(o.AdditionalMetricNames)), m.name, m.path+" needs it")
		o.AdditionalMetricNames = append(o.AdditionalMetricNames, m.name)
	}
}

// objective gives each metric a strategy: the best value in the direction of its objective, for
// additional metrics as Katib in the direction of spec.objective. Without a direction it is the latest
// value, and so it is for a constraint's metric: what the program ends with has to keep the bounds.
func (d *defaulter) objective(s *Spec) {
	o := s.Objective
	if o == nil {
		return
	}
	given := make(map[string]bool)
	for _, s := range o.MetricStrategies {
		given[s.Name] = true
	}
	further := make(map[string]furtherMetric)
	for _, m := range slices.Backward(s.furtherMetrics()) { // objectives, which come first, win
		further[m.name] = m
	}
	for _, name := range append([]string{o.ObjectiveMetricName}, o.AdditionalMetricNames...) {
		if given[name] {
			continue
		}
		value, reason := strategyOf(o.Type, "the objective", "spec.objective")
		if m, ok := further[name]; ok && name != o.ObjectiveMetricName {
			value, reason = m.strategy()
		}
		path := fmt.Sprintf("spec.objective.metricStrategies[%d]", len(o.MetricStrategies))
		o.MetricStrategies = append(o.MetricStrategies, MetricStrategy{Name: name, Value: value})
		d.note(path, value+" of "+name, reason)
	}
}

// strategyOf returns the strategy that suits an objective's type, and why.
func strategyOf(objectiveType, what, path string) (value, reason string) {
	switch objectiveType {
	case objectiveMinimize:
		return strategyMin, what + " is minimized"
	case objectiveMaximize:
		return strategyMax, what + " is maximized"
	}
	return strategyLatest, path + ".type says neither minimize nor maximize"
}

// strategy returns the metric's strategy where the experiment does not say, and why.
func (m furtherMetric) strategy() (value, reason string) {
	if m.path == costPath {
		return strategyLatest, m.path + " counts what the program ends with"
	}
	if m.objectiveType == "" {
		return strategyLatest, m.path + " bounds what the program ends with"
	}
	return strategyOf(m.objectiveType, m.path, m.path)
}

// trialTemplate says when a job of a known kind has ended, and which pod of it runs the training.
func (d *defaulter) trialTemplate(t *TrialTemplate) {
	if t == nil || t.TrialSpec == nil {
		return
	}
	kind, _ := t.TrialSpec["kind"].(string)
	var success string
	var labels map[string]string
	switch kind {
	case "Job":
		success = conditionComplete
	case "TFJob", "PyTorchJob", "XGBoostJob", "MPIJob":
		success = conditionSucceeded
		labels = map[string]string{"training.kubeflow.org/job-role": "master"}
	case "TrainJob":
		success = conditionComplete
		labels = map[string]string{
			"jobset.sigs.k8s.io/replicatedjob-name":    "node",
			"batch.kubernetes.io/job-completion-index": "0",
		}
	default:
		return
	}
	reason := "the trial is a " + kind
	d.text(&t.SuccessCondition, "spec.trialTemplate.successCondition", success, reason)
	d.text(&t.FailureCondition, "spec.trialTemplate.failureCondition", conditionFailed, reason)
	if len(t.PrimaryPodLabels) == 0 && labels != nil {
		t.PrimaryPodLabels = labels
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			d.note("spec.trialTemplate.primaryPodLabels."+key, labels[key], reason)
		}
	}
}

func (d *defaulter) metricsCollector(s *Spec) {
	const path = "spec.metricsCollectorSpec"
	if s.MetricsCollectorSpec == nil {
		s.MetricsCollectorSpec = &MetricsCollectorSpec{}
	}
	m := s.MetricsCollectorSpec
	if m.Collector == nil {
		m.Collector = &Collector{Kind: StdOut}
		d.note(path+".collector.kind", string(StdOut), "metrics are read from what the training prints")
	}
	reason := "the collector is " + string(m.Collector.Kind)
	switch m.Collector.Kind {
	case File:
		f := m.fileSystemPath()
		d.text(&f.Kind, path+".source.fileSystemPath.kind", "File", reason)
		d.text(&f.Path, path+".source.fileSystemPath.path", defaultMetricsFile, reason)
		d.text(&f.Format, path+".source.fileSystemPath.format", "TEXT", reason)
	case TensorFlowEvent:
		f := m.fileSystemPath()
		d.text(&f.Kind, path+".source.fileSystemPath.kind", "Directory", reason)
		d.text(&f.Path, path+".source.fileSystemPath.path", defaultEventDirectory, reason)
	case PrometheusMetric:
		h := m.httpGet()
		d.text(&h.Path, path+".source.httpGet.path", defaultScrapePath, reason)
		if portText(h.Port) == "0" {
			h.Port = float64(defaultScrapePort)
			d.note(path+".source.httpGet.port", portText(h.Port), reason)
		}
	}
}

// source returns the collector's source, which it creates if need be.
func (m *MetricsCollectorSpec) source() *MetricsSource {
	if m.Source == nil {
		m.Source = &MetricsSource{}
	}
	return m.Source
}

func (m *MetricsCollectorSpec) fileSystemPath() *FileSystemPath {
	s := m.source()
	if s.FileSystemPath == nil {
		s.FileSystemPath = &FileSystemPath{}
	}
	return s.FileSystemPath
}

func (m *MetricsCollectorSpec) httpGet() *HTTPGet {
	s := m.source()
	if s.HTTPGet == nil {
		s.HTTPGet = &HTTPGet{}
	}
	return s.HTTPGet
}

// portText writes a port that is a number or a name; none at all is 0, as in Kubernetes.
func portText(port any) string {
	switch p := port.(type) {
	case nil:
		return "0"
	case float64:
		return strconv.FormatFloat(p, 'f', -1, 64)
	default:
		return fmt.Sprint(p)
	}
}
