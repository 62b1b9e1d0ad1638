package experiment

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	templatePath        = "spec.trialTemplate"
	trialParametersPath = templatePath + ".trialParameters"
)

// trialTemplate checks the template and that each placeholder in it stands for something. Without
// a template trials are asked for by a client, unless a command is given.
func (v *validator) trialTemplate() {
	t := v.e.Spec.TrialTemplate
	if v.o.CommandGiven {
		v.command(t)
		return
	}
	switch {
	case t != nil:
		v.template(t)
	case v.o.Katib:
		v.add(templatePath, Required, "must be specified")
	}
}

// command checks what a command that replaces the template uses of it.
func (v *validator) command(t *TrialTemplate) {
	var bound map[string]int
	if t != nil {
		bound, _ = v.trialParameters(t, func(string, string) bool { return true })
	}
	v.placeholders("local.command", Placeholders(v.e.Local.Command), bound)
}

func (v *validator) template(t *TrialTemplate) {
	if t.PrimaryContainerName == "" {
		v.add(templatePath+".primaryContainerName", Required, "must be specified")
	}
	if t.SuccessCondition == "" || t.FailureCondition == "" {
		v.add(templatePath, Required, "successCondition and failureCondition must be specified")
	}
	if t.TrialParameters == nil && v.o.Katib {
		v.add(trialParametersPath, Required, "must be specified")
		return
	}
	if !v.templateSource(t) {
		return
	}
	text, tree, err := v.templateTree(t)
	if text == "" && err != nil {
		v.add(templatePath, Invalid, err.Error())
		return
	}
	names := Placeholders(text)
	if text == "" {
		names = Placeholders(tree)
	}
	if !v.bindings(t, names) {
		return
	}
	if err != nil {
		v.add(templatePath, Invalid, err.Error())
		return
	}
	v.workload(tree)
	if !v.o.Katib {
		v.unreferenced(t, tree, names)
	}
}

// templateSource reports whether the template has exactly one source.
func (v *validator) templateSource(t *TrialTemplate) bool {
	switch c := t.ConfigMap; {
	case t.TrialSpec == nil && c == nil:
		v.add(templatePath+".TrialSource", Required, "trialSpec or configMap must be specified")
	case t.TrialSpec != nil && c != nil:
		v.add(templatePath, Required, "only one of trialSpec and configMap can be specified")
	case c != nil && (c.ConfigMapName == "" || c.ConfigMapNamespace == "" || c.TemplatePath == ""):
		v.add(templatePath+".configMap", Required, "configMapName, configMapNamespace and templatePath must be specified")
	default:
		return true
	}
	return false
}

// templateTree returns the template, and the text it was read from if it came from a ConfigMap.
// The text is there even when it holds no object.
func (v *validator) templateTree(t *TrialTemplate) (text string, tree map[string]any, err error) {
	if t.TrialSpec != nil {
		return "", t.TrialSpec, nil
	}
	text = v.e.Local.Template
	if text == "" {
		if v.o.ConfigMaps == nil {
			return "", nil, fmt.Errorf("no ConfigMap can be read here; write the template under trialSpec")
		}
		if text, err = v.o.ConfigMaps(t.ConfigMap.ConfigMapNamespace, t.ConfigMap.ConfigMapName, t.ConfigMap.TemplatePath); err != nil {
			return "", nil, fmt.Errorf("read configMap: %w", err)
		}
	}
	if strings.TrimSpace(text) == "" {
		return "", nil, fmt.Errorf("the template in the configMap is empty")
	}
	tree, err = parseTemplate(text)
	return text, tree, err
}

// bindings checks that the names in trialParameters and the placeholders are the same. False means
// that Katib would look no further.
func (v *validator) bindings(t *TrialTemplate, names []string) bool {
	bound, ok := v.trialParameters(t, func(path, name string) bool {
		found := slices.Contains(names, name)
		if !found {
			v.faults = append(v.faults, Fault{
				Path: path, Type: Invalid, Nearest: Nearest(name, names),
				Detail: "the template has no placeholder ${trialParameters." + name + "}",
			})
		}
		return found || !v.o.Katib
	})
	if ok {
		v.placeholders(templatePath, names, bound)
	}
	return ok
}

// trialParameters checks the list, each usable name with inTemplate too, and ends when that returns
// false. It returns the index at which each usable name is bound.
func (v *validator) trialParameters(t *TrialTemplate, inTemplate func(path, name string) bool) (bound map[string]int, ok bool) {
	bound = make(map[string]int)
	referenced := make(map[string]int)
	for i, p := range t.TrialParameters {
		path := fmt.Sprintf("%s[%d]", trialParametersPath, i)
		if p.Name == "" || p.Reference == "" || strings.ContainsAny(p.Name, "{}") {
			v.add(path, Invalid, "name and reference must be specified, and name must not contain { or }")
			continue
		}
		if at, twice := bound[p.Name]; twice {
			v.addValue(path+".name", fmt.Sprintf("is the name of trialParameters[%d] too", at), p.Name)
			continue
		}
		if at, twice := referenced[p.Reference]; twice {
			v.addValue(path+".reference", fmt.Sprintf("trialParameters[%d] refers to it already", at), p.Reference)
			continue
		}
		bound[p.Name], referenced[p.Reference] = i, i
		v.reference(path+".reference", p.Reference)
		if !inTemplate(path+".name", p.Name) {
			return bound, false
		}
	}
	return bound, true
}

// katibReference matches what Katib's webhook takes for a reference to metadata.
var katibReference = regexp.MustCompile(`\$\{trialSpec\.(Name|Namespace|Kind|APIVersion|Annotations|Labels)(\[[^}]+\])?\}`)

// reference checks that a trial parameter refers to a parameter or to the trial's metadata.
func (v *validator) reference(path, reference string) {
	if len(v.e.Spec.Parameters) == 0 || metadataReference.MatchString(reference) || v.o.Katib && katibReference.MatchString(reference) {
		return
	}
	if names := v.e.Spec.names(); !slices.Contains(names, reference) {
		v.addValue(path, "does not exist in spec.parameters", reference, names...)
	}
}

// placeholders checks that each placeholder in the template or command at path is bound: by
// trialParameters, or without any, and not to Katib, by the name of a parameter.
func (v *validator) placeholders(path string, names []string, trialParameters map[string]int) {
	bound, where, t := sortedKeys(trialParameters), path, Invalid
	missing := "trialParameters has no "
	if template := v.e.Spec.TrialTemplate; !v.o.Katib && (template == nil || len(template.TrialParameters) == 0) {
		bound = v.e.Spec.names()
		missing = "spec.parameters has no "
		if path == templatePath {
			where, t = trialParametersPath, Required
			missing = "must be specified, since spec.parameters has no "
		}
	}
	for _, name := range names {
		if !slices.Contains(bound, name) {
			v.faults = append(v.faults, Fault{
				Path: where, Type: t, Nearest: Nearest(name, bound),
				Detail: missing + name + " for the placeholder ${trialParameters." + name + "}",
			})
		}
	}
}
