package server_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// created is what is looked at of an experiment that was created.
type created struct {
	Manifest string
	Warnings []string
}

// TestManifestCreatesAgain: the manifest of an experiment creates another one with the same program, and is refused where
// none of its kind may run.
func TestManifestCreatesAgain(t *testing.T) {
	const head = "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\nmetadata: {name: e}\nspec:\n" +
		"  objective: {type: minimize, objectiveMetricName: loss}\n  algorithm: {algorithmName: random}\n" +
		"  parameters: [{name: x, parameterType: double, feasibleSpace: {min: '0', max: '1'}}]\n"
	const template = "  trialTemplate:\n    configMap: {configMapName: c, configMapNamespace: n, templatePath: t}\n" +
		"    trialParameters: [{name: x, reference: x}]\n    primaryContainerName: main\n    successCondition: a\n    failureCondition: b\n"
	const job = "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {restartPolicy: Never, containers: " +
		"[{name: main, image: i, command: [train, '--x=${trialParameters.x}']}]}}}\n"
	r := newRigOf(t, nil, func(c *server.Config) { c.Local = true })
	elsewhere := newRigOf(t, nil)
	for name, body := range map[string]map[string]any{
		"command": {"manifest": head, "local": map[string]any{"dir": "/tmp", "command": []string{"train", "--x=${trialParameters.x}"}}},
		"template": {"manifest": head + template, "local": map[string]any{
			"dir": "/tmp", "template": job, "images": map[string]any{"i": map[string]any{"words": []string{"python3"}}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var first, again created
			r.user(t, "POST", "/api/v1/experiments", jsonOf(t, body), &first)
			before := r.programOf(t)
			r.user(t, "DELETE", "/api/v1/namespaces/default/experiments/e", "", nil)
			r.user(t, "POST", "/api/v1/experiments", jsonOf(t, map[string]any{"manifest": first.Manifest, "strict": true}), &again)
			if after := r.programOf(t); !reflect.DeepEqual(after, before) || after.Dir != "/tmp" || len(again.Warnings) > 0 {
				t.Errorf("got %+v, warnings %q of\n%s\nwant %+v", after, again.Warnings, again.Manifest, before)
			}
			r.user(t, "DELETE", "/api/v1/namespaces/default/experiments/e", "", nil)
			a := elsewhere.do(t, "POST", "/api/v1/experiments", jsonOf(t, map[string]any{"manifest": first.Manifest}), as(userToken)...)
			if p := a.problem(t); p.Code != "LOCAL_REFUSED" {
				t.Errorf("where no processes run: got %+v", p)
			}
		})
	}
}

// programOf is what the experiment e runs.
func (r *rig) programOf(t *testing.T) experiment.Local {
	t.Helper()
	e, err := r.tuner.Experiment(t.Context(), experiment.Key{Namespace: "default", Name: "e"})
	if err != nil {
		t.Fatal(err)
	}
	return e.Local
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	js, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(js)
}
