package experiment

import "testing"

func TestUnknownFieldsNameTheOneMeant(t *testing.T) {
	for _, tc := range []struct{ name, text, path, want string }{
		{"words of the name", "spec: {maxTrials: 8}", "spec.maxTrials", "maxTrialCount"},
		{"a plural too many", "spec: {parallelTrials: 8}", "spec.parallelTrials", "parallelTrialCount"},
		{"underscores", "spec: {max_failed_trials: 8}", "spec.max_failed_trials", "maxFailedTrialCount"},
		{"a typo", "spec: {objectve: {}}", "spec.objectve", "objective"},
		{"part of the name", "spec: {parameters: [{name: lr, type: double}]}", "spec.parameters[0].type", "parameterType"},
		{"a name at the top", "name: sweep", "name", "metadata.name"},
		{"parameters at the top", "parameters: []", "parameters", "spec.parameters"},
		{"words at the top", "maxTrials: 8", "maxTrials", "spec.maxTrialCount"},
		{"a typo at the top", "parametrs: []", "parametrs", "spec.parameters"},
		{"deeper in the same object", "spec: {parameters: [{name: lr, min: '1'}]}", "spec.parameters[0].min", "spec.parameters[0].feasibleSpace.min"},
		{"deeper in the spec", "spec: {seed: 1}", "spec.seed", "spec.tuned.seed"},
		{"elsewhere", "metadata: {maxTrialCount: 1}", "metadata.maxTrialCount", "spec.maxTrialCount"},
		{"nothing like it", "spec: {zzz: 1}", "spec.zzz", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := "apiVersion: kubeflow.org/v1beta1\nkind: Experiment\n" + tc.text + "\n"
			for _, f := range Read("e.yaml", []byte(text), Options{}).Warnings {
				if f.Path == tc.path && f.Type == FieldUnknown {
					if f.Nearest != tc.want {
						t.Errorf("%s: meant %q, want %q", f.Path, f.Nearest, tc.want)
					}
					return
				}
			}
			t.Error("no warning")
		})
	}
}
