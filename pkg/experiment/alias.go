package experiment

import (
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// alias is a field's name as some experiments write it, and the type it is written in.
type alias struct {
	owner reflect.Type
	name  string
}

// aliases leads to the names of kubeflow.org/v1beta1.
var aliases = map[alias]string{
	{reflect.TypeFor[Objective](), "metricName"}:      "objectiveMetricName",
	{reflect.TypeFor[Algorithm](), "name"}:            "algorithmName",
	{reflect.TypeFor[Algorithm](), "settings"}:        "algorithmSettings",
	{reflect.TypeFor[Spec](), "metricsCollector"}:     "metricsCollectorSpec",
	{reflect.TypeFor[Spec](), "MetricsCollectorSpec"}: "metricsCollectorSpec",
	{reflect.TypeFor[Spec](), "MetricsCollector"}:     "metricsCollectorSpec",
}

// hints say what became of fields that have no counterpart of the same form.
var hints = map[alias]string{
	{reflect.TypeFor[Spec](), "objectives"}:          "further objectives stand under spec.tuned.objectives",
	{reflect.TypeFor[TrialTemplate](), "goTemplate"}: "it belongs to kubeflow.org/v1alpha3; write the template under trialSpec",
}

// ignored are fields that a server sets; in a file, as kubectl prints it, they mean nothing.
var ignored = map[reflect.Type][]string{
	reflect.TypeFor[Experiment](): {"status"},
	reflect.TypeFor[Metadata](): {
		"uid", "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers",
		"generateName", "generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink",
	},
}

// hidden are fields that the daemon adds to an experiment; users cannot write them.
var hidden = map[reflect.Type][]string{
	reflect.TypeFor[Experiment](): {"priors", "revision", "control", "note"},
}

// hoist moves fields of the spec that are nested under spec.algorithm to where they belong, unless
// they are given there too. Each move is returned as a fault, which is a warning unless reading
// strictly.
func hoist(doc *document) Faults {
	spec, _ := doc.tree["spec"].(map[string]any)
	algorithm, _ := spec["algorithm"].(map[string]any)
	specNode := entries(doc.root)["spec"].value
	algorithmNodes := entries(entries(specNode)["algorithm"].value)
	var moved Faults
	fields := fieldsOf(reflect.TypeFor[Spec]())
	for _, key := range sortedKeys(algorithm) {
		if _, known := fields[key]; !known {
			continue
		}
		if _, both := spec[key]; both {
			continue
		}
		spec[key] = algorithm[key]
		delete(algorithm, key)
		f := Fault{
			Path: "spec.algorithm." + key, Type: FieldUnknown,
			Detail: fmt.Sprintf("read as spec.%s, where it belongs", key),
		}
		if node := algorithmNodes[key]; node.key != nil {
			f.Line, f.Column = node.key.Line, node.key.Column
			appendEntry(specNode, node)
		}
		moved = append(moved, f)
	}
	return moved
}

func appendEntry(n *yaml.Node, field pair) {
	if n = resolve(n); n != nil {
		n.Content = append(n.Content, field.key, field.value)
	}
}

// modernise replaces values of older versions of Katib's API by those of kubeflow.org/v1beta1.
func modernise(e *Experiment) Faults {
	var old Faults
	switch e.APIVersion {
	case "kubeflow.org/v1", "kubeflow.org/v1alpha3":
		old = append(old, Fault{
			Path: "apiVersion", Type: NotSupported, Value: e.APIVersion,
			Detail: "read as " + apiVersion + ", the only version of Katib's Experiment in use",
		})
		e.APIVersion = apiVersion
	}
	if m := e.Spec.MetricsCollectorSpec; m != nil && m.Collector != nil && m.Collector.Kind == None {
		old = append(old, Fault{
			Path: "spec.metricsCollectorSpec.collector.kind", Type: NotSupported, Value: string(None),
			Detail: "read as Push, its name in kubeflow.org/v1beta1",
		})
		m.Collector.Kind = Push
	}
	return old
}
