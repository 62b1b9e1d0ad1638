package experiment

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubejson "sigs.k8s.io/json"
)

// job checks that the template is a batch/v1 Job to the last field.
func (v *validator) job(tree map[string]any, root string) {
	object, _ := withTestValues(tree, v.o.Katib).(map[string]any)
	if v.o.Katib {
		if err := sameAsJob(object); err != nil {
			v.add(templatePath, Invalid, err.Error())
		}
		return
	}
	v.addUncovered(checkObject(object, reflect.TypeFor[batchv1.Job](), root))
	var job batchv1.Job
	js, err := json.Marshal(object)
	if err != nil || json.Unmarshal(js, &job) != nil {
		return // the fault is there already
	}
	var names []string
	for _, c := range job.Spec.Template.Spec.Containers {
		names = append(names, c.Name)
	}
	primary := v.e.Spec.TrialTemplate.PrimaryContainerName
	if primary != "" && !slices.Contains(names, primary) {
		v.addValue(templatePath+".primaryContainerName", "the Job has no container of this name", primary, names...)
	}
}

// sameAsJob is Katib's rule for a batch/v1 Job: read as one and written again it still says all
// that the template says, in the same form. So it refuses also what is harmless: a null, an empty
// text, list or object, and false or 0 where these are the default.
func sameAsJob(template map[string]any) error {
	js, err := json.Marshal(template)
	if err != nil {
		return fmt.Errorf("write template: %w", err)
	}
	var before map[string]any
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(js, &before); err != nil {
		return fmt.Errorf("read template: %w", err)
	}
	var job batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(before, &job); err != nil {
		return fmt.Errorf("read template as a Job: %w", err)
	}
	if js, err = json.Marshal(job); err != nil {
		return fmt.Errorf("write Job: %w", err)
	}
	var after map[string]any
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(js, &after); err != nil {
		return fmt.Errorf("read Job: %w", err)
	}
	if path, value, found := changed(before, after, ""); found {
		js, _ := json.Marshal(value) // it came from JSON
		return fmt.Errorf("a Job does not hold %s as it is written, %s", path, js)
	}
	return nil
}

// quantities are the paths of amounts, which a Job may hold in another form (1024Mi as 1Gi).
var quantities = regexp.MustCompile(`\.resources\.(limits|requests)\.`)

// changed finds a part of before that after lacks or has with another value.
func changed(before, after any, path string) (at string, value any, found bool) {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok {
			break
		}
		for _, key := range sortedKeys(b) {
			at := join(path, key)
			child, there := a[key]
			if !there && !quantities.MatchString(at) {
				return at, b[key], true
			}
			if at, value, found := changed(b[key], child, at); there && found {
				return at, value, true
			}
		}
		return "", nil, false
	case []any:
		a, ok := after.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range b {
			if at, value, found := changed(b[i], a[i], fmt.Sprintf("%s[%d]", path, i)); found {
				return at, value, true
			}
		}
		return "", nil, false
	}
	return path, before, !reflect.DeepEqual(before, after) && !quantities.MatchString(path)
}

// withTestValues returns the tree with a text in the place of each placeholder. A placeholder
// without quotes becomes a number or text when it is rendered: with it is left out, or is text to
// Katib.
func withTestValues(node any, katib bool) any {
	switch n := node.(type) {
	case map[string]any:
		out := make(map[string]any, len(n))
		for key, child := range n {
			if _, open := child.(unquoted); open && !katib {
				continue
			}
			out[key] = withTestValues(child, katib)
		}
		return out
	case []any:
		out := make([]any, len(n))
		for i, child := range n {
			out[i] = withTestValues(child, katib)
		}
		return out
	case unquoted:
		return placeholder.ReplaceAllLiteralString(string(n), "test-value")
	case string:
		return placeholder.ReplaceAllLiteralString(n, "test-value")
	}
	return node
}

// checkObject returns what a tree has that its Go type does not know or cannot hold.
func checkObject(tree map[string]any, t reflect.Type, path string) Faults {
	js, err := json.Marshal(tree)
	if err != nil {
		return Faults{{Path: path, Type: Invalid, Detail: err.Error()}}
	}
	var object any
	dec := json.NewDecoder(strings.NewReader(string(js)))
	dec.UseNumber()
	if err := dec.Decode(&object); err != nil {
		return Faults{{Path: path, Type: Invalid, Detail: err.Error()}}
	}
	var d decoder
	d.value(object, nil, t, path)
	return append(d.faults, d.lenient...)
}
