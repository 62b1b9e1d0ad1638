package experiment

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"
)

// The conditions of a JobResult.
const (
	JobRunning   = "Running"
	JobSucceeded = "Succeeded"
	JobFailed    = "Failed"
)

// JobResult is what the object of a trial's workload says about itself.
type JobResult struct {
	Condition string // JobRunning, JobSucceeded or JobFailed
	Reason    string // the object's own; "" when it gives none
	Message   string // the object's own; "" when it gives none
}

// JobStatus evaluates the conditions of a trial template, GJSON paths, on a workload's object, which
// is anything that becomes JSON. The failure condition is looked at first. A condition is met when
// it selects an object, from which reason and message come, or, beyond Katib, true, a number other
// than 0 or the text "True"; of an array the first element counts. When neither is met the workload
// is running. It fails only for an object that cannot become JSON.
func JobStatus(object any, successCondition, failureCondition string) (JobResult, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return JobResult{}, fmt.Errorf("evaluate conditions of a workload: %w", err)
	}
	if result, met := jobCondition(text, failureCondition, JobFailed); met {
		return result, nil
	}
	if result, met := jobCondition(text, successCondition, JobSucceeded); met {
		return result, nil
	}
	return JobResult{Condition: JobRunning}, nil
}

func jobCondition(object []byte, condition, meaning string) (JobResult, bool) {
	found := gjson.GetBytes(object, condition)
	if found.IsArray() {
		found = found.Get("0")
	}
	switch found.Type {
	case gjson.True:
		return JobResult{Condition: meaning}, true
	case gjson.Number:
		return JobResult{Condition: meaning}, found.Num != 0
	case gjson.String:
		return JobResult{Condition: meaning}, strings.EqualFold(found.Str, "true")
	}
	return JobResult{
		Condition: meaning, Reason: found.Get("reason").String(), Message: found.Get("message").String(),
	}, found.IsObject()
}
