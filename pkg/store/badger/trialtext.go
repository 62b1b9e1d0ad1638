package badger

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// trialReader reads trials from JSON as encodeTrial writes it, several times as fast as encoding/json, and keeps
// one copy of the texts that many of them have. What looks otherwise it leaves to encoding/json. The zero value
// is ready.
type trialReader struct {
	rest    []byte
	strange bool // rest is not what was expected
	texts   map[string]string
	pairs   searchspace.Assignment // room to gather a list in
	metrics []experiment.Metric
}

// read reads one trial.
func (r *trialReader) read(text []byte, t *experiment.Trial) error {
	r.rest, r.strange = text, false
	*t = experiment.Trial{}
	if r.trial(t); !r.strange && len(r.rest) == 0 {
		return nil
	}
	*t = experiment.Trial{}
	return json.Unmarshal(text, t)
}

// trial reads the fields in the order in which they are declared. The first one is always there.
func (r *trialReader) trial(t *experiment.Trial) {
	r.want(`{"number":`)
	t.Number = r.number()
	given(r, `,"name":`, &t.Name, r.text)
	given(r, `,"attempt":`, &t.Attempt, r.int)
	given(r, `,"assignment":`, &t.Assignment, r.assignment)
	given(r, `,"memo":`, &t.Memo, r.bytes)
	given(r, `,"parent":`, &t.Parent, r.number)
	given(r, `,"algorithm":`, &t.Algorithm, r.shared)
	given(r, `,"request":`, &t.Request, r.text)
	given(r, `,"wanted":`, &t.Wanted, r.int)
	given(r, `,"origin":`, &t.Origin, func() experiment.Origin { return experiment.Origin(r.shared()) })
	given(r, `,"givenAs":`, &t.GivenAs, r.text)
	given(r, `,"stopping":`, &t.Stopping, r.yes)
	given(r, `,"pruned":`, &t.Pruned, r.text)
	given(r, `,"results":`, &t.Results, r.int)
	given(r, `,"lost":`, &t.Lost, r.int)
	given(r, `,"crashed":`, &t.Crashed, r.int)
	given(r, `,"state":`, &t.State, func() experiment.TrialState { return experiment.TrialState(r.shared()) })
	given(r, `,"reason":`, &t.Reason, r.shared)
	given(r, `,"message":`, &t.Message, r.shared)
	given(r, `,"finishNo":`, &t.FinishNo, r.number)
	given(r, `,"observation":`, &t.Observation, r.observation)
	given(r, `,"created":`, &t.Created, r.time)
	given(r, `,"started":`, &t.Started, r.time)
	given(r, `,"finished":`, &t.Finished, r.time)
	r.want("}")
}

func (r *trialReader) assignment() searchspace.Assignment {
	r.pairs = r.pairs[:0]
	for r.next(len(r.pairs)) {
		var p searchspace.Pair
		r.want(`{"name":`)
		p.Name = r.shared()
		r.want(`,"value":`)
		p.Value = r.text()
		r.want("}")
		r.pairs = append(r.pairs, p)
	}
	return append(make(searchspace.Assignment, 0, len(r.pairs)), r.pairs...)
}

func (r *trialReader) observation() experiment.Observation {
	r.want(`{"metrics":`)
	r.metrics = r.metrics[:0]
	for r.next(len(r.metrics)) {
		var m experiment.Metric
		r.want(`{"name":`)
		m.Name = r.shared()
		given(r, `,"min":`, &m.Min, r.text)
		same := func() string { return r.sameAs(m.Min) }
		given(r, `,"max":`, &m.Max, same)
		given(r, `,"latest":`, &m.Latest, same)
		given(r, `,"value":`, &m.Value, r.text)
		r.want("}")
		r.metrics = append(r.metrics, m)
	}
	r.want("}")
	return experiment.Observation{Metrics: append(make([]experiment.Metric, 0, len(r.metrics)), r.metrics...)}
}

// given reads a field that need not be there.
func given[T any](r *trialReader, name string, field *T, read func() T) {
	if r.has(name) {
		*field = read()
	}
}

// has takes an expected text off the front, if it is there.
func (r *trialReader) has(expected string) bool {
	there := len(r.rest) >= len(expected) && string(r.rest[:len(expected)]) == expected
	if there {
		r.rest = r.rest[len(expected):]
	}
	return there
}

func (r *trialReader) want(expected string) {
	if !r.has(expected) {
		r.strange = true
	}
}

// next reports whether a list of which n elements were read has another one. It takes what stands before that
// or ends the list.
func (r *trialReader) next(n int) bool {
	if n == 0 {
		r.want("[")
		return !r.strange && !r.has("]")
	}
	if r.has("]") {
		return false
	}
	r.want(",")
	return !r.strange
}

// number reads a number as Go formats it.
func (r *trialReader) number() (n uint64) {
	length := 0
	for length < len(r.rest) && '0' <= r.rest[length] && r.rest[length] <= '9' {
		n = 10*n + uint64(r.rest[length]-'0')
		length++
	}
	if length == 0 || length > 18 || length > 1 && r.rest[0] == '0' { // 18 digits fit
		r.strange = true
	}
	r.rest = r.rest[length:]
	return n
}

func (r *trialReader) int() int {
	n := r.number()
	if n > math.MaxInt {
		r.strange = true
	}
	return int(n)
}

func (r *trialReader) yes() bool {
	r.want("true")
	return true
}

// token takes a text in its quotes off the front. It is plain when it stands for itself.
func (r *trialReader) token() (token []byte, plain bool) {
	plain = true
	for i := 1; i < len(r.rest) && r.rest[0] == '"'; i++ {
		switch c := r.rest[i]; {
		case c == '"':
			token, r.rest = r.rest[:i+1], r.rest[i+1:]
			return token, plain
		case c == '\\':
			plain = false
			i++
		case c < ' ' || c > '~':
			plain = false
		}
	}
	r.strange = true
	return []byte(`""`), true
}

// unquoted returns the text of a token.
func (r *trialReader) unquoted(token []byte, plain bool) (s string) {
	if plain {
		return string(token[1 : len(token)-1])
	}
	if json.Unmarshal(token, &s) != nil {
		r.strange = true
	}
	return s
}

func (r *trialReader) text() string { return r.unquoted(r.token()) }

// sameAs reads a text that is often the other one.
func (r *trialReader) sameAs(other string) string {
	token, plain := r.token()
	if plain && string(token[1:len(token)-1]) == other {
		return other
	}
	return r.unquoted(token, plain)
}

// shared reads a text that many trials have.
func (r *trialReader) shared() string {
	token, plain := r.token()
	if s, known := r.texts[string(token)]; known {
		return s
	}
	s := r.unquoted(token, plain)
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	r.texts[string(token)] = s
	return s
}

func (r *trialReader) bytes() []byte {
	out, err := base64.StdEncoding.DecodeString(r.text())
	if err != nil {
		r.strange = true
	}
	return out
}

func (r *trialReader) time() (t time.Time) {
	if token, _ := r.token(); t.UnmarshalJSON(token) != nil {
		r.strange = true
	}
	return t
}
