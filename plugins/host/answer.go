package host

import (
	"errors"
	"fmt"
	"math"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// maxMemo is the most bytes of a memo. It is stored with the trial, and comes back with each history.
const maxMemo = 64 << 10

// readSuggestions reads the answer to an Ask for trials with the given IDs. The reason is ErrExhausted, ErrWait
// or nil; err is what is wrong with the answer.
func readSuggestions(reply *pluginv1.SuggestResponse, space *searchspace.Space, ids []uint64, pending int) (
	out []algorithms.Suggestion, reason, err error,
) {
	answer := reply.GetSuggestions()
	if answer == nil {
		return nil, nil, errors.New("it answered ask without suggestions")
	}
	n := len(answer.GetSuggestions())
	if reason, err = readReason(answer.GetReason()); err != nil {
		return nil, nil, err
	}
	switch {
	case n > len(ids):
		return nil, nil, fmt.Errorf("it answered %d suggestions to %d asked", n, len(ids))
	case n < len(ids) && reason == nil:
		return nil, nil, fmt.Errorf("it answered %d suggestions to %d asked, without a reason", n, len(ids))
	case errors.Is(reason, algorithms.ErrWait) && n+pending == 0:
		return nil, nil, errors.New("it waits for trials, but none is pending")
	}
	for i, s := range answer.GetSuggestions() {
		if s.GetParent() >= ids[0] {
			return nil, nil, fmt.Errorf("it lets trial %d go on from trial %d, which is no earlier one", ids[i], s.GetParent())
		}
		suggestion, err := readSuggestion(s, space, ids[i])
		if err != nil {
			return nil, nil, err
		}
		out = append(out, suggestion)
	}
	return out, reason, nil
}

func readReason(r pluginv1.Suggestions_Reason) (reason, err error) {
	switch r {
	case pluginv1.Suggestions_REASON_UNSPECIFIED:
		return nil, nil
	case pluginv1.Suggestions_REASON_EXHAUSTED:
		return algorithms.ErrExhausted, nil
	case pluginv1.Suggestions_REASON_WAIT:
		return algorithms.ErrWait, nil
	}
	return nil, fmt.Errorf("it answered fewer suggestions for a reason %d that is not known", r)
}

func readSuggestion(s *pluginv1.Suggestion, space *searchspace.Space, id uint64) (algorithms.Suggestion, error) {
	if s.GetId() != id {
		return algorithms.Suggestion{}, fmt.Errorf("it answered trial %d with a suggestion for trial %d", id, s.GetId())
	}
	if n := len(s.GetMemo()); n > maxMemo {
		return algorithms.Suggestion{}, fmt.Errorf("the memo of trial %d has %d bytes, more than %d", id, n, maxMemo)
	}
	point := searchspace.Point(s.GetPoint())
	if err := space.Contains(point); err != nil {
		if point = settle(point, space); point == nil {
			return algorithms.Suggestion{}, fmt.Errorf("it suggested for trial %d what is not in the space: %w", id, err)
		}
	}
	return algorithms.Suggestion{ID: id, Point: point, Memo: s.GetMemo(), Parent: s.GetParent()}, nil
}

// settle returns the point of the space from which p differs by rounding alone, nil when there is none. Authors
// compute values of a grid as min + k*step, and those of a logarithmic range by exp, in arithmetic of their own.
func settle(p searchspace.Point, space *searchspace.Space) searchspace.Point {
	if len(p) != space.Len() {
		return nil
	}
	const rounding = 1e-12 // of the larger end of a range
	out := space.Decode(space.Encode(p))
	for i, param := range space.Parameters() {
		if param.Kind == searchspace.Double && param.Step == 0 {
			out[i] = max(param.Min, min(p[i], param.Max))
		}
		if !(math.Abs(out[i]-p[i]) <= rounding*max(math.Abs(param.Min), math.Abs(param.Max))) {
			out[i] = p[i]
		}
	}
	if space.Contains(out) != nil {
		return nil
	}
	return out
}
