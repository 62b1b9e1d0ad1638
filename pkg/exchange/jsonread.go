package exchange

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// readJSON reads what writeJSON wrote.
func readJSON(r io.Reader, file string) (*Study, error) {
	in := bufio.NewReader(r)
	head, _ := in.Peek(64)
	if text := bytes.TrimLeft(head, " \t\r\n"); len(text) > 0 && text[0] != '{' {
		line := 1 + bytes.Count(head[:len(head)-len(text)], []byte("\n"))
		return nil, experiment.Faults{{File: file, Line: line, Column: 1, Detail: "it is no JSON: want the { of an experiment that tuned export wrote"}}
	}
	var d document
	if err := json.NewDecoder(in).Decode(&d); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	switch {
	case d.Format != jsonFormat:
		return nil, fmt.Errorf("read %s: it is no experiment that tuned export wrote: format is %q, want %q", file, d.Format, jsonFormat)
	case d.Version != jsonVersion:
		return nil, fmt.Errorf("read %s: version %d of the format is not known, want %d", file, d.Version, jsonVersion)
	case d.Experiment == nil || d.Experiment.Spec.Objective == nil:
		return nil, fmt.Errorf("read %s: %w", file, errors.New("it holds no experiment with an objective"))
	}
	s := &Study{Experiment: d.Experiment, Measured: map[uint64][]experiment.Measurement{}}
	for _, t := range d.Trials {
		for i := range t.Measurements {
			m := &t.Measurements[i]
			m.Seq, m.Value = uint64(i)+1, experiment.ParseValue(m.Text)
		}
		if len(t.Measurements) > 0 {
			s.Measured[t.Number] = t.Measurements
		}
		t.Name = "" // it was that of another experiment's trial
		s.Trials = append(s.Trials, t.Trial)
	}
	return s, nil
}
