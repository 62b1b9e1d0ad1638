package experiment

import "time"

// Status is Katib's ExperimentStatus.
type Status struct {
	StartTime           *time.Time    `json:"startTime,omitempty"`
	CompletionTime      *time.Time    `json:"completionTime,omitempty"`
	Conditions          []Condition   `json:"conditions,omitempty"` // the last one is the state
	CurrentOptimalTrial *OptimalTrial `json:"currentOptimalTrial,omitempty"`

	RunningTrialList            []string `json:"runningTrialList,omitempty"`
	PendingTrialList            []string `json:"pendingTrialList,omitempty"`
	FailedTrialList             []string `json:"failedTrialList,omitempty"`
	SucceededTrialList          []string `json:"succeededTrialList,omitempty"`
	KilledTrialList             []string `json:"killedTrialList,omitempty"`
	EarlyStoppedTrialList       []string `json:"earlyStoppedTrialList,omitempty"`
	MetricsUnavailableTrialList []string `json:"metricsUnavailableTrialList,omitempty"`

	Trials                  int32 `json:"trials,omitempty"`
	TrialsSucceeded         int32 `json:"trialsSucceeded,omitempty"`
	TrialsFailed            int32 `json:"trialsFailed,omitempty"`
	TrialsKilled            int32 `json:"trialsKilled,omitempty"`
	TrialsPending           int32 `json:"trialsPending,omitempty"`
	TrialsRunning           int32 `json:"trialsRunning,omitempty"`
	TrialsEarlyStopped      int32 `json:"trialsEarlyStopped,omitempty"`
	TrialMetricsUnavailable int32 `json:"trialMetricsUnavailable,omitempty"` // Katib's spelling

	// Tuned is what Katib's status does not have; nil for one objective without constraints.
	Tuned *StatusExtension `json:"tuned,omitempty"`
}

// StatusExtension is status.tuned: how trials fare by several objectives and by constraints.
type StatusExtension struct {
	// TrialsOnFront counts the trials that keep the constraints and of which none is as good as
	// another one in all objectives.
	TrialsOnFront int32 `json:"trialsOnFront"`
	// TrialsInfeasible counts those with a value of each objective that do not keep the constraints.
	TrialsInfeasible int32 `json:"trialsInfeasible"`
}

// ConditionType is a state of an experiment.
type ConditionType string

// The condition types of an experiment.
const (
	Created    ConditionType = "Created"
	Running    ConditionType = "Running"
	Restarting ConditionType = "Restarting"
	Succeeded  ConditionType = "Succeeded"
	Failed     ConditionType = "Failed"
)

// Condition is one entry of a status' history.
type Condition struct {
	Type               ConditionType `json:"type"`
	Status             string        `json:"status"` // True or False
	Reason             string        `json:"reason,omitempty"`
	Message            string        `json:"message,omitempty"`
	LastUpdateTime     time.Time     `json:"lastUpdateTime,omitzero"`
	LastTransitionTime time.Time     `json:"lastTransitionTime,omitzero"`
}

// OptimalTrial is the best trial so far.
type OptimalTrial struct {
	BestTrialName        string      `json:"bestTrialName,omitempty"`
	ParameterAssignments []Pair      `json:"parameterAssignments,omitempty"`
	Observation          Observation `json:"observation,omitzero"`
}
