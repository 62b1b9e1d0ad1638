package run

import (
	"encoding/json"
	"fmt"
	"math"
)

// Trajectory is what one run did. The slices have one element per finished trial.
type Trajectory struct {
	Suite   string `json:"suite"`
	Problem string `json:"problem"`
	Hash    string `json:"hash"` // of the problem
	Cluster string `json:"cluster"`
	Budget  int    `json:"budget"`
	Seed    uint64 `json:"seed"`
	Workers int    `json:"workers"`

	Optimizer string `json:"optimizer"`
	Version   string `json:"version"`
	Ours      bool   `json:"ours,omitempty"`
	// Unsupported says why the optimizer cannot work on the problem; nothing else is set then.
	Unsupported string `json:"unsupported,omitempty"`

	IDs    []uint64  `json:"ids,omitempty"`
	Points []Numbers `json:"points,omitempty"`
	Losses []Numbers `json:"losses,omitempty"` // as told
	// LogRegret is the log10 regret of what the run recommends after each trial: the feasible point
	// with the least told loss, scored without noise.
	LogRegret Numbers `json:"logRegret,omitempty"`
	AskCPU    Micros  `json:"askCPU,omitempty"` // seconds
	TellCPU   Micros  `json:"tellCPU,omitempty"`

	Wall              float64 `json:"wall,omitempty"`      // seconds in the optimizer
	Simulated         float64 `json:"simulated,omitempty"` // seconds until the last trial ended
	Duplicates        int     `json:"duplicates,omitempty"`
	PendingDuplicates int     `json:"pendingDuplicates,omitempty"`

	Cached bool `json:"-"` // it was not run now
}

// Numbers are float64s that may be NaN or infinite, which JSON has no numbers for.
type Numbers []float64

// MarshalJSON writes NaN as null and infinities as text.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := make([]any, len(n))
	for i, v := range n {
		switch {
		case math.IsNaN(v):
		case math.IsInf(v, 1):
			out[i] = "inf"
		case math.IsInf(v, -1):
			out[i] = "-inf"
		default:
			out[i] = v
		}
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Numbers) UnmarshalJSON(text []byte) error {
	var in []any
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*n = make(Numbers, len(in))
	for i, v := range in {
		switch v := v.(type) {
		case nil:
			(*n)[i] = math.NaN()
		case float64:
			(*n)[i] = v
		case string:
			sign, ok := map[string]int{"inf": 1, "-inf": -1}[v]
			if !ok {
				return fmt.Errorf("element %d is no number: %q", i, v)
			}
			(*n)[i] = math.Inf(sign)
		default:
			return fmt.Errorf("element %d is no number: %v", i, v)
		}
	}
	return nil
}

// Micros are seconds that are written in whole microseconds.
type Micros []float64

// MarshalJSON writes whole microseconds.
func (m Micros) MarshalJSON() ([]byte, error) {
	out := make([]int64, len(m))
	for i, s := range m {
		out[i] = int64(math.Round(s * 1e6))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Micros) UnmarshalJSON(text []byte) error {
	var in []int64
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	*m = make(Micros, len(in))
	for i, us := range in {
		(*m)[i] = float64(us) * 1e-6
	}
	return nil
}
