package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// TestJSONIsOneDocument: what is written in parts is laid out as one document.
func TestJSONIsOneDocument(t *testing.T) {
	empty := mixed(t)
	empty.Trials = nil
	for name, s := range map[string]*Study{"ten trials": mixed(t), "no trials": empty} {
		got := written(t, JSON, s)
		var compact, want bytes.Buffer
		if err := json.Compact(&compact, got); err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, got)
		}
		if err := json.Indent(&want, compact.Bytes(), "", "  "); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bytes.TrimSpace(got), bytes.TrimSpace(want.Bytes())) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want.Bytes())
		}
	}
}

// TestMeasurementsAreStreamed: they are asked for trial by trial, while what came before is written already.
func TestMeasurementsAreStreamed(t *testing.T) {
	for _, format := range []string{JSON, Journal} {
		t.Run(format, func(t *testing.T) {
			s := mixed(t)
			for i := range s.Trials { // so that one does not fit into a buffer
				s.Trials[i].Message = string(bytes.Repeat([]byte("x"), 8<<10))
			}
			want := written(t, format, s)
			var out bytes.Buffer
			calls, measured := 0, s.Measured
			s.Measured = nil
			s.Measure = func(trial *experiment.Trial) ([]experiment.Measurement, error) {
				if calls++; trial.Number != uint64(calls) {
					t.Errorf("call %d is about trial %d", calls, trial.Number)
				}
				if least := (calls - 2) * 8 << 10; out.Len() < least {
					t.Errorf("call %d comes when %d bytes are written, want at least %d", calls, out.Len(), least)
				}
				return measured[trial.Number], nil
			}
			if err := Write(&out, format, s); err != nil {
				t.Fatal(err)
			}
			if calls != len(s.Trials) || !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%d calls; got\n%s\nwant\n%s", calls, &out, want)
			}
			broken := errors.New("broken")
			s.Measure = func(*experiment.Trial) ([]experiment.Measurement, error) { return nil, broken }
			if err := Write(&out, format, s); !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
		})
	}
}
