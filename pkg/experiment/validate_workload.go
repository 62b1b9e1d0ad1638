package experiment

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// workload checks the object that a template holds.
func (v *validator) workload(tree map[string]any) {
	apiVersion, _ := textOf(tree["apiVersion"])
	kind, _ := textOf(tree["kind"])
	metadata, _ := tree["metadata"].(map[string]any)
	name, _ := textOf(metadata["name"])
	namespace, _ := textOf(metadata["namespace"])
	if kind == "" {
		v.add(templatePath, Invalid, "kind of the trial's workload must be specified")
		return
	}
	if name != "" || namespace != "" {
		v.add(templatePath, Invalid, "metadata.name and metadata.namespace of the trial's workload must be omitted")
	}
	if apiVersion == "" {
		v.add(templatePath, Required, "apiVersion and kind of the trial's workload must be specified")
	}
	root := v.workloadPath()
	if !v.o.Katib {
		v.fixedFields(tree, root)
		v.metadataReferences(tree)
	}
	if apiVersion == "batch/v1" && kind == "Job" {
		v.job(tree, root)
	}
}

// workloadPath is where the fields of the workload stand.
func (v *validator) workloadPath() string {
	if v.e.Spec.TrialTemplate.TrialSpec != nil {
		return templatePath + ".trialSpec"
	}
	return templatePath + ".configMap"
}

// fixed are the fields that say who a workload is and what it may do. They cannot depend on a
// trial's parameters, so that no value of a parameter grants anything.
var fixed = map[string]bool{
	"apiVersion": true, "kind": true, "namespace": true, "serviceAccountName": true, "serviceAccount": true, "securityContext": true,
	"volumes": true, "hostNetwork": true, "hostPID": true, "hostIPC": true,
}

// fixedFields refuses placeholders in fixed fields, and in names of fields, which are never rendered.
func (v *validator) fixedFields(node any, path string) {
	switch n := node.(type) {
	case map[string]any:
		for _, key := range sortedKeys(n) {
			at := join(path, key)
			switch {
			case placeholder.MatchString(key):
				v.add(at, Forbidden, "a placeholder can stand in a value, not in the name of a field")
			case fixed[key] && len(Placeholders(n[key])) > 0:
				v.add(at, Forbidden, "a placeholder cannot stand in "+key)
			default:
				v.fixedFields(n[key], at)
			}
		}
	case []any:
		for i, child := range n {
			v.fixedFields(child, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// metadataReferences checks that the template has the labels and annotations that are referred to.
func (v *validator) metadataReferences(tree map[string]any) {
	for i, p := range v.e.Spec.TrialTemplate.TrialParameters {
		match := metadataReference.FindStringSubmatch(p.Reference)
		if match == nil {
			continue
		}
		if _, err := metadataValue(match, TrialContext{}, tree); err != nil {
			v.addValue(fmt.Sprintf("%s[%d].reference", trialParametersPath, i), err.Error(), p.Reference)
		}
	}
}

// unreferenced refuses parameters that would be searched without any effect: those that neither a
// placeholder nor the mention of their variable in the template takes to the training. A template
// without placeholders gets all parameters through its environment.
func (v *validator) unreferenced(t *TrialTemplate, tree map[string]any, names []string) {
	if len(t.TrialParameters) == 0 && len(names) == 0 {
		return
	}
	js, err := json.Marshal(tree)
	if err != nil {
		return // no tree of JSON
	}
	used := make(map[string]bool)
	for _, p := range t.TrialParameters {
		used[p.Reference] = true
	}
	for _, name := range names {
		used[name] = used[name] || len(t.TrialParameters) == 0
	}
	for i, p := range v.e.Spec.Parameters {
		if !used[p.Name] && p.Name != "" && !strings.Contains(string(js), variable(p.Name)) {
			v.add(fmt.Sprintf("spec.parameters[%d]", i), Invalid, fmt.Sprintf("the template has neither a placeholder for %s "+
				"nor its variable %s, so its value would not reach the training", p.Name, variable(p.Name)))
		}
	}
}

// CommandWarnings finds parameters that a command in place of the template leaves out, though it takes
// others: each trial would run with the same value of them. A command that mentions none may read all
// from its environment. Nil for no command.
func CommandWarnings(s *Spec, command []string) Faults {
	names := Placeholders(command)
	placeholders := make(map[string]string, len(s.Parameters)) // by parameter
	if t := s.TrialTemplate; t != nil && len(t.TrialParameters) > 0 {
		for _, p := range t.TrialParameters {
			placeholders[p.Reference] = p.Name
		}
	} else {
		for _, p := range s.Parameters {
			placeholders[p.Name] = p.Name
		}
	}
	text := strings.Join(command, "\n")
	var left Faults
	for i, p := range s.Parameters {
		if slices.Contains(names, placeholders[p.Name]) || strings.Contains(text, variable(p.Name)) {
			continue
		}
		left = append(left, Fault{Path: fmt.Sprintf("spec.parameters[%d]", i), Type: Invalid, Detail: fmt.Sprintf(
			"the command leaves %s out: unless the program reads its variable %s, its value has no effect; pass %s, or take it out of the search",
			p.Name, variable(p.Name), "${trialParameters."+cmp.Or(placeholders[p.Name], p.Name)+"}")})
	}
	switch {
	case strings.Contains(text, paramsFile):
		return nil
	case len(left) == len(s.Parameters):
		return bareReferences(s, placeholders, "the command", text)
	}
	return left
}

// bareWarnings finds what bareReferences does in a template without placeholders.
func bareWarnings(e *Experiment, o Options) Faults {
	t := e.Spec.TrialTemplate
	if o.CommandGiven || t == nil || t.TrialSpec == nil || len(Placeholders(t.TrialSpec)) > 0 {
		return nil
	}
	js, _ := json.Marshal(t.TrialSpec) // it was read from text
	if text := string(js); !strings.Contains(text, paramsFile) && !strings.Contains(text, variable("")) {
		return bareReferences(&e.Spec, nil, "the template", text)
	}
	return nil
}

// bareReferences finds parameters that a text without placeholders names as a shell would a variable, ${lr}
// or ${parameters.lr}.
func bareReferences(s *Spec, placeholders map[string]string, what, text string) (found Faults) {
	for i, p := range s.Parameters {
		name := cmp.Or(placeholders[p.Name], p.Name)
		bare := regexp.MustCompile(`\$\{([\w.]+\.)?` + regexp.QuoteMeta(name) + `\}`).FindString(text)
		if bare != "" {
			found = append(found, Fault{Path: fmt.Sprintf("spec.parameters[%d]", i), Type: Invalid, Detail: fmt.Sprintf(
				"%s says %s, which is no placeholder, so nothing takes its place; write ${trialParameters.%s}", what, bare, name)})
		}
	}
	return found
}

// paramsFile is the variable that names a file with all parameters.
const paramsFile = "TUNED_PARAMS_FILE"

var notInVariable = regexp.MustCompile(`[^A-Za-z0-9_]`)

// variable returns the environment variable by which a parameter's value reaches a trial's command:
// TUNED_PARAM_ and the name in capitals, with _ for what a variable's name cannot hold.
func variable(parameter string) string {
	return "TUNED_PARAM_" + strings.ToUpper(notInVariable.ReplaceAllLiteralString(parameter, "_"))
}

// variableWarnings finds parameters whose variables are one, so that only the last one is seen in it.
func variableWarnings(e *Experiment) Faults {
	var found Faults
	first := make(map[string]string)
	for i, p := range e.Spec.Parameters {
		name := variable(p.Name)
		if other, twice := first[name]; twice && other != p.Name {
			found = append(found, Fault{
				Path: fmt.Sprintf("spec.parameters[%d].name", i), Type: Invalid,
				Detail: fmt.Sprintf("shares the variable %s with %s, which will not be seen in it", name, other),
			})
		}
		first[name] = p.Name
	}
	return found
}

// checkpointVariable is where a trial's command finds the path of its checkpoint directory.
const checkpointVariable = "TUNED_CHECKPOINT_DIR"

// checkpointWarnings finds a path of checkpoints that the template does not mention. Where that path is no
// mount, a program that knows it by itself would leave the checkpoints of all trials in one place.
func checkpointWarnings(e *Experiment) Faults {
	folder, t := e.Spec.Algorithm.CheckpointPath(), e.Spec.TrialTemplate
	if folder == "" || t == nil || t.TrialSpec == nil {
		return nil
	}
	js, _ := json.Marshal(t.TrialSpec) // it was read from text
	if strings.Contains(string(js), folder) || strings.Contains(string(js), checkpointVariable) {
		return nil
	}
	return Faults{{Path: "spec.algorithm.algorithmSettings", Type: Invalid, Value: folder, Detail: fmt.Sprintf(
		"the template does not mention this path: unless the program looks for its checkpoint directory in the variable %s, trials do not go on from others; pass the path to it",
		checkpointVariable)}}
}

// shellFlag matches the options by which a shell takes its script from the next word.
var shellFlag = regexp.MustCompile(`^-[a-z]*c$`)

// shellWarnings finds placeholders in scripts that a shell reads, where a value with a quote, a
// space or a dollar sign would become code.
func shellWarnings(e *Experiment) Faults {
	t := e.Spec.TrialTemplate
	if t == nil {
		return nil
	}
	references := make(map[string]string)
	for _, p := range t.TrialParameters {
		references[p.Name] = p.Reference
	}
	var found Faults
	var walk func(node any, at string)
	walk = func(node any, at string) {
		switch n := node.(type) {
		case map[string]any:
			found = append(found, shellScripts(n, at, references)...)
			for _, key := range sortedKeys(n) {
				walk(n[key], join(at, key))
			}
		case []any:
			for i, child := range n {
				walk(child, fmt.Sprintf("%s[%d]", at, i))
			}
		}
	}
	walk(t.TrialSpec, templatePath+".trialSpec")
	return found
}

// shellScripts looks at one container's command and args.
func shellScripts(container map[string]any, at string, references map[string]string) Faults {
	type word struct{ text, path string }
	var words []word
	for _, field := range []string{"command", "args"} {
		list, _ := container[field].([]any)
		for i, item := range list {
			text, _ := textOf(item)
			words = append(words, word{text, fmt.Sprintf("%s.%s[%d]", at, field, i)})
		}
	}
	var found Faults
	for i := 2; i < len(words); i++ {
		switch path.Base(words[i-2].text) {
		case "sh", "bash", "dash", "ash", "zsh", "ksh":
		default:
			continue
		}
		names := Placeholders(words[i].text)
		if !shellFlag.MatchString(words[i-1].text) || len(names) == 0 {
			continue
		}
		parameter := names[0]
		if r := references[parameter]; r != "" {
			parameter = r
		}
		found = append(found, Fault{Path: words[i].path, Type: Invalid, Detail: fmt.Sprintf("a shell reads the value of "+
			"${trialParameters.%s} as part of its script; write \"$%s\" there instead", names[0], variable(parameter))})
	}
	return found
}
