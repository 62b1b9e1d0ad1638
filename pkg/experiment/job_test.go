package experiment

import (
	"encoding/json"
	"testing"
)

func TestJobStatusAsKatib(t *testing.T) {
	type vector struct {
		Case             string          `json:"case"`
		Job              json.RawMessage `json:"job"`
		SuccessCondition string          `json:"successCondition"`
		FailureCondition string          `json:"failureCondition"`
		Status           JobResult       `json:"status"`
	}
	for _, v := range readVectors[vector](t, "job-status.json") {
		t.Run(v.Case, func(t *testing.T) {
			got, err := JobStatus(v.Job, v.SuccessCondition, v.FailureCondition)
			if err != nil || got != v.Status {
				t.Errorf("got %+v, %v, want %+v", got, err, v.Status)
			}
		})
	}
}

func TestJobStatus(t *testing.T) {
	job := map[string]any{"status": map[string]any{
		"succeeded": 1, "failed": 0, "done": true, "no": false, "empty": []any{}, "text": `{"reason":"r"}`, "null": nil,
		"conditions": []any{
			map[string]any{"type": "Complete", "status": "True", "reason": "R", "message": "M"},
			map[string]any{"type": "Failed", "status": "False", "reason": 7},
		},
	}}
	const never = `status.absent`
	tests := []struct {
		name             string
		success, failure string
		want             JobResult
	}{
		{"object", `status.conditions.#(type=="Complete")`, never, JobResult{"Succeeded", "R", "M"}},
		{"array", `status.conditions.#(status=="True")#`, never, JobResult{"Succeeded", "R", "M"}},
		{"failure first", `status.conditions.#(type=="Complete")`, `status.conditions.#(type=="Failed")`, JobResult{"Failed", "7", ""}},
		{"empty array", `status.empty`, never, JobResult{Condition: "Running"}},
		{"no match", `status.conditions.#(type=="Other")#`, never, JobResult{Condition: "Running"}},
		{"number", `status.succeeded`, `status.failed`, JobResult{Condition: "Succeeded"}},
		{"boolean", `status.done`, `status.no`, JobResult{Condition: "Succeeded"}},
		{"text of a condition", `status.conditions.#(type=="Complete").status`, `status.conditions.#(type=="Failed").status`, JobResult{Condition: "Succeeded"}},
		{"array of texts", `status.conditions.#.status`, never, JobResult{Condition: "Succeeded"}},
		{"other text", `status.text`, never, JobResult{Condition: "Running"}},
		{"null", `status.null`, never, JobResult{Condition: "Running"}},
		{"empty conditions", "", "", JobResult{Condition: "Running"}},
		{"malformed conditions", `status.conditions.#(type==`, `#(((|@@[`, JobResult{Condition: "Running"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := JobStatus(job, tt.success, tt.failure)
			if err != nil || got != tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
	if got, err := JobStatus(func() {}, never, never); err == nil {
		t.Errorf("object that is no JSON: got %+v, want an error", got)
	}
}

func FuzzJobStatus(f *testing.F) {
	f.Add(`status.conditions.#(type=="Complete")#|#(status=="True")#`)
	f.Add(`status.[@this].#(succeeded==1)`)
	job := json.RawMessage(`{"status":{"conditions":[{"type":"Complete","status":"True"}],"succeeded":1}}`)
	f.Fuzz(func(t *testing.T, condition string) {
		failed, err := JobStatus(job, "", condition)
		if err != nil {
			t.Fatal(err)
		}
		succeeded, err := JobStatus(job, condition, "")
		if err != nil {
			t.Fatal(err)
		}
		if (failed.Condition == JobFailed) != (succeeded.Condition == JobSucceeded) {
			t.Errorf("%q: as failure condition %q, as success condition %q", condition, failed.Condition, succeeded.Condition)
		}
	})
}
