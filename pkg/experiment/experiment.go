// Package experiment is the domain: Experiments and their Trials as Katib's API
// kubeflow.org/v1beta1 defines them, the states they go through, what is best among them, and
// the reading, defaulting and validating of their YAML.
package experiment

import (
	"path"
	"time"
)

// Key names an experiment.
type Key struct {
	Namespace string
	Name      string
}

// String returns namespace/name.
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Experiment is one experiment: the object users write, with what the daemon adds to it.
type Experiment struct {
	APIVersion string   `json:"apiVersion,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`
	Status     Status   `json:"status,omitzero"`

	// Local is how trials run as processes of this machine; zero elsewhere.
	Local Local `json:"local,omitzero"`
	// Priors are what it learned from when it was created, for spec.tuned.warmStart.
	Priors []Prior `json:"priors,omitempty"`
	// Control is what was done to the experiment beside its spec.
	Control Control `json:"control,omitzero"`
	// Note is what a person remarked about it.
	Note Note `json:"note,omitzero"`
	// Revision counts the commits that changed the experiment.
	Revision uint64 `json:"revision,omitempty"`
	// Events is the number of its events, of which the store keeps count.
	Events uint64 `json:"-"`
}

// Key returns the experiment's key.
func (e *Experiment) Key() Key {
	return Key{Namespace: e.Metadata.Namespace, Name: e.Metadata.Name}
}

// External reports whether clients evaluate the trials, because there is nothing to run.
func (e *Experiment) External() bool {
	return e.Spec.TrialTemplate == nil && len(e.Local.Command) == 0
}

// Metadata is the part of a Kubernetes object's metadata that is used here.
type Metadata struct {
	Name        string            `json:"name,omitempty"`
	Namespace   string            `json:"namespace,omitempty"`
	UID         string            `json:"uid,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Created     *time.Time        `json:"creationTimestamp,omitempty"`
}

// Local says how the trials of an experiment run as processes of this machine.
type Local struct {
	Dir      string              `json:"dir,omitempty"`      // working directory of the commands
	Command  []string            `json:"command,omitempty"`  // argv in place of a trial template; may hold ${trialParameters.x}
	Template string              `json:"template,omitempty"` // YAML text that spec.trialTemplate.configMap pointed at
	Images   map[string][]string `json:"images,omitempty"`   // image name to the argv that stands in for its program
}

// Spec is Katib's ExperimentSpec. Numbers of a feasible space are text, as on Katib's wire;
// Space turns them into numbers.
type Spec struct {
	Parameters           []ParameterSpec       `json:"parameters,omitempty"`
	Objective            *Objective            `json:"objective,omitempty"`
	Algorithm            *Algorithm            `json:"algorithm,omitempty"`
	EarlyStopping        *Algorithm            `json:"earlyStopping,omitempty"`
	TrialTemplate        *TrialTemplate        `json:"trialTemplate,omitempty"`
	ParallelTrialCount   *int32                `json:"parallelTrialCount,omitempty"`
	MaxTrialCount        *int32                `json:"maxTrialCount,omitempty"`
	MaxFailedTrialCount  *int32                `json:"maxFailedTrialCount,omitempty"`
	MetricsCollectorSpec *MetricsCollectorSpec `json:"metricsCollectorSpec,omitempty"`
	NasConfig            *NasConfig            `json:"nasConfig,omitempty"`
	ResumePolicy         ResumePolicy          `json:"resumePolicy,omitempty"`

	// Tuned holds what Katib does not have. Katib ignores it.
	Tuned *Extension `json:"tuned,omitempty"`
}

// Extension is spec.tuned: settings of ours beyond Katib's API.
type Extension struct {
	Seed            *uint64      `json:"seed,omitempty"`            // of all randomness; default 0
	TrialTimeout    *Duration    `json:"trialTimeout,omitempty"`    // wall time of one trial
	ProgressTimeout *Duration    `json:"progressTimeout,omitempty"` // longest silence of a trial's metrics
	StopGrace       *Duration    `json:"stopGrace,omitempty"`       // between TERM and KILL; default 10s
	CPUs            int          `json:"cpus,omitempty"`            // CPU slots per trial
	GPUs            int          `json:"gpus,omitempty"`            // GPU slots per trial
	OnCompletion    OnCompletion `json:"onCompletion,omitempty"`    // of trials that still run; default Drain

	Objectives  []FurtherObjective `json:"objectives,omitempty"`  // beside spec.objective
	Constraints []Constraint       `json:"constraints,omitempty"` // that a trial must keep to be the best
	WarmStart   []string           `json:"warmStart,omitempty"`   // experiments to learn from: NAME or NAMESPACE/NAME

	FirstPoints []map[string]string `json:"firstPoints,omitempty"` // parameters to values; evaluated first, in this order
	MaxDuration *Duration           `json:"maxDuration,omitempty"` // no further trial is created from here on; pauses do not count
	Cost        *Cost               `json:"cost,omitempty"`

	EarlyStopping []Algorithm `json:"earlyStopping,omitempty"` // rules beside spec.earlyStopping; one is enough to stop a trial

	Termination *Termination `json:"termination,omitempty"` // of the experiment, once further trials are not worth it
	Checkpoints string       `json:"checkpoints,omitempty"` // absolute path of a folder for the checkpoint directories of trials; default one beside the logs

	Webhooks []Webhook `json:"webhooks,omitempty"` // told of changes
}

// OnCompletion is what happens to running trials once the experiment has succeeded.
type OnCompletion string

// Drain lets running trials end (as Katib does), Kill stops them.
const (
	Drain OnCompletion = "Drain"
	Kill  OnCompletion = "Kill"
)

// ParameterSpec is one parameter as written.
type ParameterSpec struct {
	Name          string        `json:"name,omitempty"`
	ParameterType string        `json:"parameterType,omitempty"`
	FeasibleSpace FeasibleSpace `json:"feasibleSpace,omitzero"`
	ActiveWhen    *ActiveWhen   `json:"activeWhen,omitempty"` // extension: conditional parameter
}

// ActiveWhen makes a parameter take part only while another one has one of the given values.
type ActiveWhen struct {
	Parameter string   `json:"parameter"`
	Values    []string `json:"values"`
}

// FeasibleSpace bounds a parameter. All values are text, kept as written.
type FeasibleSpace struct {
	Max          string   `json:"max,omitempty"`
	Min          string   `json:"min,omitempty"`
	List         []string `json:"list,omitempty"`
	Step         string   `json:"step,omitempty"`
	Distribution string   `json:"distribution,omitempty"`
}

// Objective is what to optimise.
type Objective struct {
	Type                  string           `json:"type,omitempty"` // minimize or maximize
	Goal                  *float64         `json:"goal,omitempty"`
	ObjectiveMetricName   string           `json:"objectiveMetricName,omitempty"`
	AdditionalMetricNames []string         `json:"additionalMetricNames,omitempty"`
	MetricStrategies      []MetricStrategy `json:"metricStrategies,omitempty"`
}

// MetricStrategy says which of a metric's values counts: min, max or latest.
type MetricStrategy struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// Algorithm names an algorithm and its settings.
type Algorithm struct {
	AlgorithmName     string    `json:"algorithmName,omitempty"`
	AlgorithmSettings []Setting `json:"algorithmSettings,omitempty"`
}

// CheckpointPath returns where the template expects the checkpoint directory of a trial, by Katib's setting
// of pbt: a clean absolute path; "" for none.
func (a *Algorithm) CheckpointPath() string {
	if a == nil {
		return ""
	}
	for _, s := range a.AlgorithmSettings {
		if s.Name == "suggestion_trial_dir" && path.IsAbs(s.Value) {
			return path.Clean(s.Value)
		}
	}
	return ""
}

// Setting is one setting as text.
type Setting struct {
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
}

// TrialTemplate is the workload of a trial with placeholders.
type TrialTemplate struct {
	Retain               bool              `json:"retain,omitempty"`
	TrialSpec            map[string]any    `json:"trialSpec,omitempty"`
	ConfigMap            *ConfigMapSource  `json:"configMap,omitempty"`
	TrialParameters      []TrialParameter  `json:"trialParameters,omitempty"`
	PrimaryPodLabels     map[string]string `json:"primaryPodLabels,omitempty"`
	PrimaryContainerName string            `json:"primaryContainerName,omitempty"`
	SuccessCondition     string            `json:"successCondition,omitempty"`
	FailureCondition     string            `json:"failureCondition,omitempty"`
}

// ConfigMapSource points at a template inside a ConfigMap.
type ConfigMapSource struct {
	ConfigMapName      string `json:"configMapName,omitempty"`
	ConfigMapNamespace string `json:"configMapNamespace,omitempty"`
	TemplatePath       string `json:"templatePath,omitempty"`
}

// TrialParameter binds a placeholder's name to a parameter or to metadata of the trial.
type TrialParameter struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Reference   string `json:"reference,omitempty"`
}

// MetricsCollectorSpec says where a trial's metrics come from.
type MetricsCollectorSpec struct {
	Source    *MetricsSource `json:"source,omitempty"`
	Collector *Collector     `json:"collector,omitempty"`
}

// Collector is the kind of collection.
type Collector struct {
	Kind            CollectorKind  `json:"kind,omitempty"`
	CustomCollector map[string]any `json:"customCollector,omitempty"` // a core/v1 Container
}

// CollectorKind is a way to collect metrics.
type CollectorKind string

// The collector kinds of Katib. None is the former name of Push.
const (
	StdOut           CollectorKind = "StdOut"
	File             CollectorKind = "File"
	TensorFlowEvent  CollectorKind = "TensorFlowEvent"
	PrometheusMetric CollectorKind = "PrometheusMetric"
	Custom           CollectorKind = "Custom"
	Push             CollectorKind = "Push"
	None             CollectorKind = "None"
)

// MetricsSource is where a collector reads.
type MetricsSource struct {
	HTTPGet        *HTTPGet        `json:"httpGet,omitempty"`
	FileSystemPath *FileSystemPath `json:"fileSystemPath,omitempty"`
	Filter         *Filter         `json:"filter,omitempty"`
}

// HTTPGet is the part of core/v1 HTTPGetAction that is used: Port is a number or text.
type HTTPGet struct {
	Path   string `json:"path,omitempty"`
	Port   any    `json:"port,omitempty"`
	Host   string `json:"host,omitempty"`
	Scheme string `json:"scheme,omitempty"`
}

// FileSystemPath is a file or directory with metrics.
type FileSystemPath struct {
	Path   string `json:"path,omitempty"`
	Kind   string `json:"kind,omitempty"`   // Directory or File
	Format string `json:"format,omitempty"` // TEXT or JSON
}

// Filter holds regular expressions with two groups: name and value.
type Filter struct {
	MetricsFormat []string `json:"metricsFormat,omitempty"`
}

// NasConfig is Katib's neural architecture search; recognised, not run here.
type NasConfig struct {
	GraphConfig GraphConfig    `json:"graphConfig,omitzero"`
	Operations  []NasOperation `json:"operations,omitempty"`
}

// GraphConfig is the size of a searched network.
type GraphConfig struct {
	NumLayers   *int32  `json:"numLayers,omitempty"`
	InputSizes  []int32 `json:"inputSizes,omitempty"`
	OutputSizes []int32 `json:"outputSizes,omitempty"`
}

// NasOperation is one kind of layer.
type NasOperation struct {
	OperationType string          `json:"operationType,omitempty"`
	Parameters    []ParameterSpec `json:"parameters,omitempty"`
}

// ResumePolicy says whether a completed experiment can be restarted with a larger budget.
type ResumePolicy string

// The resume policies of Katib.
const (
	Never       ResumePolicy = "Never"
	LongRunning ResumePolicy = "LongRunning"
	FromVolume  ResumePolicy = "FromVolume"
)
