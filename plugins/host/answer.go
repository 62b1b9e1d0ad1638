package host

import (
	"errors"
	"fmt"

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
		if err := checkSuggestion(s, space, ids[i]); err != nil {
			return nil, nil, err
		}
		out = append(out, algorithms.Suggestion{ID: s.GetId(), Point: s.GetPoint(), Memo: s.GetMemo()})
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

func checkSuggestion(s *pluginv1.Suggestion, space *searchspace.Space, id uint64) error {
	if s.GetId() != id {
		return fmt.Errorf("it answered trial %d with a suggestion for trial %d", id, s.GetId())
	}
	if err := space.Contains(s.GetPoint()); err != nil {
		return fmt.Errorf("it suggested for trial %d what is not in the space: %w", id, err)
	}
	if n := len(s.GetMemo()); n > maxMemo {
		return fmt.Errorf("the memo of trial %d has %d bytes, more than %d", id, n, maxMemo)
	}
	return nil
}
