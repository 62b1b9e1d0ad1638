package local

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// container is a core/v1 Container as a JSON object, and where it stands in the template.
type container struct {
	object map[string]any
	path   string
}

// primary finds the primary container of a template.
func primary(spec trialrunner.Spec) (container, error) {
	kind, _ := spec.Template["kind"].(string)
	if kind == "TrainJob" {
		return trainer(spec.Template)
	}
	pod, path, err := podSpec(spec.Template, kind)
	if err != nil {
		return container{}, err
	}
	if list, _ := pod["initContainers"].([]any); len(list) > 0 {
		return container{}, unsupported("%s.initContainers: they have no place in a process of this machine; do their work in the command", path)
	}
	list, _ := pod["containers"].([]any)
	var names []string
	for i, item := range list {
		object, _ := item.(map[string]any)
		name, _ := object["name"].(string)
		if name == spec.Container || spec.Container == "" && len(list) == 1 {
			return container{object, fmt.Sprintf("%s.containers[%d]", path, i)}, nil
		}
		names = append(names, name)
	}
	return container{}, unsupported("%s.containers: none is named %q like the primary container, there is %q", path, spec.Container, names)
}

// podSpec finds the pod that a template describes, when it is a single one.
func podSpec(template map[string]any, kind string) (pod map[string]any, path string, err error) {
	switch kind {
	case "Pod":
		pod, path = at(template, "spec"), "spec"
	case "Job":
		pod, path = at(template, "spec", "template", "spec"), "spec.template.spec"
	default:
		pod, path, err = replica(at(template, "spec"), kind)
	}
	if err == nil && pod == nil {
		err = unsupported("%s: the template has no such object", path)
	}
	return pod, path, err
}

// replica finds the pod of a job of several roles, of which just one may have just one replica.
func replica(spec map[string]any, kind string) (map[string]any, string, error) {
	for _, field := range slices.Sorted(maps.Keys(spec)) {
		roles, ok := spec[field].(map[string]any)
		if !ok || !strings.HasSuffix(field, "ReplicaSpecs") {
			continue
		}
		var pod map[string]any
		var path string
		for _, role := range slices.Sorted(maps.Keys(roles)) {
			r, _ := roles[role].(map[string]any)
			count, given := number(r["replicas"])
			if given && count == 0 {
				continue
			}
			if given && count != 1 || pod != nil {
				return nil, "", unsupported("spec.%s.%s.replicas: a process of this machine can stand for one replica of %s, not for several", field, role, kind)
			}
			pod, path = at(r, "template", "spec"), fmt.Sprintf("spec.%s.%s.template.spec", field, role)
		}
		return pod, path, nil
	}
	return nil, "", unsupported("kind: a %q is not something that runs as a process of this machine; want a Job, a Pod, a TrainJob or a job of one replica, or give the command after --", kind)
}

// trainer is what a TrainJob says about its container.
func trainer(template map[string]any) (container, error) {
	const path = "spec.trainer"
	object := at(template, "spec", "trainer")
	if object == nil {
		return container{}, unsupported("%s: the template has no such object", path)
	}
	if nodes, given := number(object["numNodes"]); given && nodes != 1 {
		return container{}, unsupported("%s.numNodes: a process of this machine can stand for one node, not for %v", path, nodes)
	}
	return container{object, path}, nil
}

// at follows keys through objects; nil when there is none.
func at(object map[string]any, keys ...string) map[string]any {
	for _, key := range keys {
		object, _ = object[key].(map[string]any)
	}
	return object
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	}
	return 0, false
}

// command resolves what the container runs. Environment and arguments are taken as they are.
func (c container) command(spec trialrunner.Spec, dir string) (trialdir.Command, error) {
	out := trialdir.Command{Dir: dir}
	words, err := c.words("command")
	if err != nil {
		return out, err
	}
	args, err := c.words("args")
	if err != nil {
		return out, err
	}
	if out.Env, err = c.environment(spec); err != nil {
		return out, err
	}
	if err := c.references(append(slices.Clone(words), args...), out.Env); err != nil {
		return out, err
	}
	if own, _ := c.object["workingDir"].(string); own != "" {
		if info, err := os.Stat(own); err == nil && info.IsDir() && filepath.IsAbs(own) {
			out.Dir = own
		}
	}
	image, _ := c.object["image"].(string)
	if stand, mapped := mapped(spec.Local.Images, image); mapped {
		words, err = replaceProgram(image, stand, words, spec)
	} else {
		err = runnable(image, words, spec, out.Dir)
	}
	if err != nil {
		return out, err
	}
	out.Argv = append(slices.Clone(words), args...)
	if out.Path, err = program(out.Argv[0], out.Dir); err != nil {
		return out, unsupported("image %q: %v: map it with --image %s=COMMAND", image, err, image)
	}
	return out, nil
}

// words reads a list of texts.
func (c container) words(field string) ([]string, error) {
	list, ok := c.object[field].([]any)
	if !ok && c.object[field] != nil {
		return nil, unsupported("%s.%s: want a list of texts", c.path, field)
	}
	out := make([]string, len(list))
	for i, item := range list {
		if out[i], ok = item.(string); !ok {
			return nil, unsupported("%s.%s[%d]: want text, got %v", c.path, field, i, item)
		}
	}
	return out, nil
}

// labelReference matches the field of one label of a pod.
var labelReference = regexp.MustCompile(`^metadata\.labels\['([^']+)'\]$`)

// environment reads the container's variables.
func (c container) environment(spec trialrunner.Spec) ([]string, error) {
	if list, _ := c.object["envFrom"].([]any); len(list) > 0 {
		return nil, unsupported("%s.envFrom: there is no ConfigMap or Secret on this machine; set the variables before tuned is started", c.path)
	}
	list, _ := c.object["env"].([]any)
	var out []string
	for i, item := range list {
		entry, _ := item.(map[string]any)
		name, _ := entry["name"].(string)
		value, _ := entry["value"].(string)
		path := fmt.Sprintf("%s.env[%d]", c.path, i)
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.IndexByte(value, 0) >= 0 {
			return nil, unsupported("%s.name: %q cannot be the name of a variable, or its value holds a NUL byte", path, name)
		}
		if entry["valueFrom"] != nil {
			var ok bool
			if value, ok = fieldValue(at(entry, "valueFrom", "fieldRef"), spec); !ok {
				return nil, unsupported("%s.valueFrom: %s: only the pod's name, namespace and labels are known here", path, name)
			}
		}
		out = append(out, name+"="+value)
	}
	return out, nil
}

// fieldValue returns what a fieldRef refers to.
func fieldValue(ref map[string]any, spec trialrunner.Spec) (string, bool) {
	path, _ := ref["fieldPath"].(string)
	switch path {
	case "metadata.name":
		return spec.Trial, true
	case "metadata.namespace":
		return spec.Experiment.Namespace, true
	}
	match := labelReference.FindStringSubmatch(path)
	if match == nil {
		return "", false
	}
	for _, keys := range [][]string{{"spec", "template", "metadata", "labels"}, {"metadata", "labels"}} {
		if value, ok := at(spec.Template, keys...)[match[1]].(string); ok {
			return value, true
		}
	}
	return "", false
}

// references refuses $(NAME) of the container's own variables: Kubernetes would replace it, and
// here every word arrives as it is.
func (c container) references(words, env []string) error {
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		for _, word := range words {
			if strings.Contains(word, "$("+name+")") {
				return unsupported("%s: $(%s) in %q is not replaced on this machine; write the value, or read the variable in the program", c.path, name, word)
			}
		}
	}
	return nil
}

// mapped returns the command that stands in for an image's program: of the image as written, or
// of its name without tag and digest.
func mapped(images map[string][]string, image string) ([]string, bool) {
	stand, ok := images[image]
	if !ok {
		bare, _, _ := strings.Cut(image, "@")
		if colon := strings.LastIndexByte(bare, ':'); colon > strings.LastIndexByte(bare, '/') {
			bare = bare[:colon]
		}
		stand, ok = images[bare]
	}
	return stand, ok && len(stand) > 0
}

// Python and those of its options that come before the script's name: flags, and -m for a module.
var (
	python       = regexp.MustCompile(`^(.*/)?python[0-9.]*$`)
	pythonOption = regexp.MustCompile(`^-([bBdEiIOPqsSuvx]+|m)$`)
)

// programWords returns how many leading words name the program.
func programWords(words []string, spec trialrunner.Spec) int {
	isPython := len(words) > 0 && python.MatchString(words[0])
	script := 0 // words without "-"
	for i, word := range words {
		derived := func(p searchspace.Pair) bool { return word == p.Value || strings.HasSuffix(word, "="+p.Value) }
		data := mount(spec.Checkpoint.Path).in(word) || slices.ContainsFunc(spec.Assignment, derived)
		switch {
		case isPython && script == 1 && pythonOption.MatchString(word):
		case strings.HasPrefix(word, "-") || i > 0 && data:
			return i
		default:
			script++
		}
	}
	return len(words)
}

func replaceProgram(image string, stand, words []string, spec trialrunner.Spec) ([]string, error) {
	n := programWords(words, spec)
	if n == 1 && len(words) > 1 && strings.HasPrefix(words[1], "-") && isShell(words[0]) {
		return nil, unsupported("image %q: its command is a script for %s, in which no program can be replaced; give the command after --", image, words[0])
	}
	return append(slices.Clone(stand), words[n:]...), nil
}

func isShell(program string) bool {
	return slices.Contains([]string{"sh", "bash", "dash", "ash", "zsh"}, filepath.Base(program))
}

// runnable says what is missing on this machine to run a container's command as written.
func runnable(image string, words []string, spec trialrunner.Spec, dir string) error {
	if len(words) == 0 {
		return unsupported("image %q has no local command: map it with --image %s=COMMAND", image, image)
	}
	if _, err := program(words[0], dir); err != nil {
		return unsupported("image %q: %v on this machine: map it with --image %s=COMMAND", image, err, image)
	}
	for _, word := range words[1:max(1, programWords(words, spec))] {
		if !filepath.IsAbs(word) {
			continue
		}
		if _, err := os.Stat(word); err != nil {
			return unsupported("image %q: there is no %s on this machine: map it with --image %s=COMMAND", image, word, image)
		}
	}
	return nil
}
