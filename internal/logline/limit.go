package logline

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Bounds of Limit: a window has Most lines of one kind, and at its end one that says how many were left out. Kinds beyond
// mostKinds are one.
const (
	Most      = 20
	Window    = time.Minute
	mostKinds = 100
)

// Limit passes records on; of those that are not info, no more of one kind than its bounds allow, so that no client can
// fill a disk by calls that fail. Those of one kind have the same level, message and experiment. It is safe for concurrent
// use as far as To is.
type Limit struct {
	To io.Writer

	mu     sync.Mutex
	closed bool
	kinds  map[kind]*window
}

// kind is what records of a kind have alike.
type kind struct {
	Level      string `json:"level"`
	Message    string `json:"message"`
	Experiment string `json:"experiment,omitempty"`
}

// window is the time in which the records of a kind are counted. It begins with the first of them.
type window struct {
	count int
	end   *time.Timer
}

// Write implements io.Writer. It is given one record at a time.
func (l *Limit) Write(record []byte) (int, error) {
	var k kind
	if err := json.Unmarshal(record, &k); err == nil && k.Level != "info" && !l.passes(k) {
		return len(record), nil
	}
	return l.To.Write(record)
}

// passes counts a record, and reports whether it is to be written.
func (l *Limit) passes(k kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return true
	}
	if l.kinds[k] == nil && len(l.kinds) >= mostKinds {
		k = kind{Level: k.Level, Message: "of many kinds"}
	}
	w := l.kinds[k]
	if w == nil {
		w = &window{}
		w.end = time.AfterFunc(Window, func() { l.over(k, w) })
		if l.kinds == nil {
			l.kinds = map[kind]*window{}
		}
		l.kinds[k] = w
	}
	w.count++
	return w.count <= Most
}

// over ends a window.
func (l *Limit) over(k kind, w *window) {
	l.mu.Lock()
	ours := l.kinds[k] == w
	if ours {
		delete(l.kinds, k)
	}
	l.mu.Unlock()
	if ours {
		l.say(k, w)
	}
}

// say writes how many records a window has left out.
func (l *Limit) say(k kind, w *window) {
	if w.count <= Most {
		return
	}
	log := zerolog.New(l.To).With().Timestamp().Logger()
	log.Warn().Str("of", k.Message).Str("experiment", k.Experiment).Int("leftOut", w.count-Most).Msg("lines like these were left out of the log")
}

// Close says what was left out until now; what is written later is not counted.
func (l *Limit) Close() error {
	l.mu.Lock()
	kinds := l.kinds
	l.kinds, l.closed = nil, true
	l.mu.Unlock()
	for k, w := range kinds {
		w.end.Stop()
		l.say(k, w)
	}
	return nil
}
