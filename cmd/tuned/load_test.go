package main

import (
	"encoding/json"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// everyField is an experiment that has about everything that is looked at when one is read.
const everyField = `{
	"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": "whole"},
	"spec": {
		"objective": {"type": "minimize", "goal": 1, "objectiveMetricName": "loss", "additionalMetricNames": ["acc"], "metricStrategies": [{"name": "acc", "value": "max"}]},
		"algorithm": {"algorithmName": "bayesianoptimization", "algorithmSettings": [{"name": "n_initial_points", "value": "9"}, {"name": "base_estimator", "value": "RF"}]},
		"earlyStopping": {"algorithmName": "medianstop", "algorithmSettings": [{"name": "start_step", "value": "4"}]},
		"parallelTrialCount": 2, "maxTrialCount": 9, "maxFailedTrialCount": 1,
		"metricsCollectorSpec": {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": "/tmp/m.log", "kind": "File", "format": "TEXT"}}},
		"parameters": [
			{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.1", "max": "1", "distribution": "logUniform"}},
			{"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}},
			{"name": "depth", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}, "activeWhen": {"parameter": "opt", "values": ["a"]}}
		],
		"tuned": {
			"seed": 1, "objectives": [{"metricName": "size", "type": "maximize"}], "constraints": [{"metricName": "ms", "max": 5, "min": 1}],
			"warmStart": ["other"]
		},
		"trialTemplate": {
			"primaryContainerName": "main",
			"trialParameters": [{"name": "lr", "reference": "lr"}, {"name": "o", "reference": "opt"}, {"name": "d", "reference": "depth"}],
			"trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [
				{"name": "main", "image": "any", "command": ["echo", "${trialParameters.lr}"], "args": ["${trialParameters.o}", "${trialParameters.d}"]}
			]}}}}
		}
	}
}`

// TestReadWithoutAnyField leaves out each field and each item of a list in turn, and makes each null: what
// lacks is a fault or has a default, and no check stumbles over it.
func TestReadWithoutAnyField(t *testing.T) {
	var tree any
	if err := json.Unmarshal([]byte(everyField), &tree); err != nil {
		t.Fatal(err)
	}
	read := func() experiment.Result {
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		return experiment.Read("f", text, options(false, false, ""))
	}
	if r := read(); len(r.Faults) > 0 {
		t.Fatalf("with all fields: %v", r.Faults)
	}
	fields := 0
	var leaveOut func(node any)
	leaveOut = func(node any) {
		switch n := node.(type) {
		case map[string]any:
			for key, child := range n {
				leaveOut(child)
				n[key] = nil
				read()
				delete(n, key)
				read()
				n[key] = child
				fields++
			}
		case []any:
			for i, child := range n {
				leaveOut(child)
				n[i] = nil
				read()
				n[i] = child
			}
		}
	}
	leaveOut(tree)
	if least := 60; fields < least {
		t.Errorf("%d fields were left out, want at least %d", fields, least)
	}
}
