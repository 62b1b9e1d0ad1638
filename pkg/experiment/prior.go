package experiment

import "strings"

// Prior is what an experiment learned from an earlier one when it was created: a copy of trials that
// had ended with a result by then, so that nothing that becomes of the earlier experiment changes
// what this one suggests.
type Prior struct {
	Namespace string       `json:"namespace"`
	Name      string       `json:"name"`
	UID       string       `json:"uid"`      // of the earlier experiment
	Finished  int          `json:"finished"` // its trials that had ended with a result
	Trials    []PriorTrial `json:"trials"`   // those of them that fit, in the order in which they finished
}

// Key names the earlier experiment.
func (p *Prior) Key() Key { return Key{Namespace: p.Namespace, Name: p.Name} }

// PriorTrial is a trial of an earlier experiment in the terms of this one.
type PriorTrial struct {
	Number  uint64    `json:"n"` // in the earlier experiment
	Values  []*string `json:"v"` // parallel to spec.parameters; null for one that is not active
	Metrics []string  `json:"m"` // parallel to Spec.Needed; text of a number, or "NaN"
}

// WarmStart returns the experiments to learn from, each with its namespace.
func (e *Experiment) WarmStart() []Key {
	if e.Spec.Tuned == nil {
		return nil
	}
	keys := make([]Key, len(e.Spec.Tuned.WarmStart))
	for i, name := range e.Spec.Tuned.WarmStart {
		keys[i] = e.namedKey(name)
	}
	return keys
}

// namedKey reads NAME, of this experiment's namespace, or NAMESPACE/NAME.
func (e *Experiment) namedKey(name string) Key {
	if namespace, name, ok := strings.Cut(name, "/"); ok {
		return Key{Namespace: namespace, Name: name}
	}
	return Key{Namespace: e.Metadata.Namespace, Name: name}
}
