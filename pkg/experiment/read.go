package experiment

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

const (
	apiVersion = "kubeflow.org/v1beta1"
	kind       = "Experiment"
)

// Options adjusts reading and validation.
type Options struct {
	// Strict makes faults of the warnings about unknown fields and aliases.
	Strict bool
	// Katib applies Katib's rules alone: the trial template is required, nasConfig is accepted,
	// what only this package refuses is not looked at, and numbers without quotes become Katib's text.
	Katib bool
	// CommandGiven says that a command replaces the trial template, so that parameters need not
	// be referenced by one. An Experiment with Local.Command has one already.
	CommandGiven bool
	// CheckAlgorithm checks the names and settings of the algorithm and of early stopping; its
	// faults have paths such as spec.algorithm.algorithmSettings[1].value. Nil checks nothing.
	CheckAlgorithm func(*Spec) Faults
	// Advise returns warnings about what a complete spec asks for; nil for none.
	Advise func(*Spec) Faults
	// ConfigMaps returns the template that spec.trialTemplate.configMap points at; which namespaces
	// may be read is for it to say. Nil means that none can be read, which is a fault unless the
	// Experiment has Local.Template.
	ConfigMaps func(namespace, name, path string) (string, error)
}

// Result is what came of reading an experiment.
type Result struct {
	Experiment *Experiment // with defaults; nil when the text cannot be read
	Faults     Faults
	Warnings   Faults
	Defaults   []Default
}

// Read reads one Experiment from YAML or JSON, fills in defaults and validates it. All faults come
// at once, each with its place in the text. What only a server may set (status, uid, ...) is not
// read. A template in a ConfigMap is resolved and kept in Local.Template, unless the text has it there already.
func Read(file string, text []byte, o Options) Result {
	doc, faults := parse(text)
	if doc == nil {
		return place(Result{Faults: faults}, file, nil)
	}
	d := &decoder{anyText: true, katib: o.Katib, marks: map[string]mark{"": {doc.root.Line, doc.root.Column}}}
	d.lenient = hoist(doc)
	e, err := d.experiment(doc)
	infinite := func(f Fault) bool { // reported already
		return slices.ContainsFunc(faults, func(g Fault) bool { return g.Type == SyntaxError && g.Path == f.Path })
	}
	d.faults = slices.Concat(faults, slices.DeleteFunc(d.faults, infinite))
	if err != nil {
		d.faults = append(d.faults, Fault{Type: Invalid, Detail: err.Error()})
		return place(Result{Faults: d.faults}, file, d)
	}
	if e.Kind != "" && e.Kind != kind && Nearest(e.Kind, []string{kind}) == "" {
		return place(Result{Faults: identity(e)}, file, d) // something else altogether
	}
	d.lenient = append(d.lenient, modernise(e)...)
	r := Result{Experiment: e, Faults: slices.Concat(d.faults, identity(e), settleLocal(e, o))}
	if o.Strict {
		r.Faults = append(r.Faults, d.lenient...)
	} else {
		r.Warnings = d.lenient
	}
	misspelt := metricWarnings(e)
	r.Defaults = SetDefaults(e)
	if !o.Katib {
		r.Defaults = append(r.Defaults, setAlgorithm(&e.Spec)...)
	}
	// A value that could not be read is not missing as well.
	r.Faults = append(r.Faults, d.faults.uncovered(Validate(e, o))...)
	keepTemplate(e, o)
	r.Warnings = slices.Concat(r.Warnings, misspelt, shellWarnings(e), variableWarnings(e), checkpointWarnings(e), bareWarnings(e, o))
	if o.Advise != nil {
		r.Warnings = append(r.Warnings, o.Advise(&e.Spec)...)
	}
	return place(r, file, d)
}

// experiment decodes what of the document fits.
func (d *decoder) experiment(doc *document) (*Experiment, error) {
	tree, _ := d.value(doc.tree, doc.root, reflect.TypeFor[Experiment](), "")
	js, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("encode experiment: %w", err)
	}
	var e Experiment
	if err := json.Unmarshal(js, &e); err != nil {
		return nil, fmt.Errorf("decode experiment: %w", err)
	}
	return &e, nil
}

// settleLocal settles what the text says of trials as processes of this machine, which Katib does not have: a command
// that is given beside the text takes the place of the text's own.
func settleLocal(e *Experiment, o Options) Faults {
	if o.Katib {
		e.Local = Local{}
	}
	if o.CommandGiven {
		e.Local.Command = nil
	}
	if dir := e.Local.Dir; dir != "" && !filepath.IsAbs(dir) {
		return Faults{{Path: "local.dir", Type: Invalid, Detail: "want an absolute path", Value: dir}}
	}
	return nil
}

// identity checks that the object is an Experiment of Katib's.
func identity(e *Experiment) Faults {
	var faults Faults
	for _, field := range []struct{ path, got, want string }{
		{"apiVersion", e.APIVersion, apiVersion},
		{"kind", e.Kind, kind},
	} {
		f := Fault{Path: field.path, Type: NotSupported, Detail: "want " + field.want, Value: field.got}
		f.Nearest = Nearest(field.got, []string{field.want})
		if field.got == "" {
			f.Type = Required
		}
		if field.got != field.want {
			faults = append(faults, f)
		}
	}
	return faults
}

// keepTemplate keeps the text that spec.trialTemplate.configMap points at, so that later changes of
// the ConfigMap do not reach an experiment that runs.
func keepTemplate(e *Experiment, o Options) {
	t := e.Spec.TrialTemplate
	if t == nil || t.ConfigMap == nil || o.ConfigMaps == nil || e.Local.Template != "" {
		return
	}
	if text, err := o.ConfigMaps(t.ConfigMap.ConfigMapNamespace, t.ConfigMap.ConfigMapName, t.ConfigMap.TemplatePath); err == nil {
		e.Local.Template = text
	}
}

// place gives each fault its file and position, and sorts them. What stands in one place but is
// read in several, by an alias, is at fault once.
func place(r Result, file string, d *decoder) Result {
	for _, list := range []*Faults{&r.Faults, &r.Warnings} {
		for i := range *list {
			f := &(*list)[i]
			f.File = file
			f.Detail = strings.ReplaceAll(f.Detail, "\n", " ")
			if f.Line == 0 && d != nil {
				m := d.locate(f.Path)
				f.Line, f.Column = m.line, m.column
			}
		}
		list.sort()
		*list = slices.CompactFunc(*list, func(a, b Fault) bool {
			return a.Line == b.Line && a.Column == b.Column && a.Detail == b.Detail && a.Value == b.Value
		})
		if more := len(*list) - maxFaults; more > 0 {
			last := (*list)[maxFaults]
			last.Path, last.Detail, last.Value, last.Nearest = "", fmt.Sprintf("%d more like these", more), "", ""
			*list = append((*list)[:maxFaults], last)
		}
	}
	return r
}
