package logline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// lines keeps records that many write.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

// counts returns how many records of each message there are, and how many others they say were left out.
func (l *lines) counts(t *testing.T) (of map[string]int, leftOut int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	of = map[string]int{}
	for line := range bytes.Lines(l.all.Bytes()) {
		var r struct {
			Message, Of string
			LeftOut     int
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		of[r.Message]++
		leftOut += r.LeftOut
	}
	l.all.Reset()
	return of, leftOut
}

const said = "lines like these were left out of the log"

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out lines
		l := &Limit{To: &out}
		log := zerolog.New(l)
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				for range 100 {
					log.Error().Msg("call failed")
					log.Info().Msg("trial finished")
				}
			})
		}
		log.Warn().Msg("once")
		log.Warn().Str("experiment", "a").Msg("once")
		callers.Wait()
		if of, left := out.counts(t); of["call failed"] != Most || of["trial finished"] != 1000 || of["once"] != 2 || left != 0 {
			t.Errorf("at first: got %v and %d left out, want %d of what failed", of, left, Most)
		}
		time.Sleep(Window)
		synctest.Wait()
		if of, left := out.counts(t); of[said] != 1 || len(of) != 1 || left != 1000-Most {
			t.Errorf("after a window: got %v and %d left out, want one line and %d", of, left, 1000-Most)
		}
		log.Error().Msg("call failed")
		if of, _ := out.counts(t); of["call failed"] != 1 {
			t.Errorf("in the next window: got %v, want a line again", of)
		}
		for range 2 * Most {
			log.Error().Msg("call failed")
		}
		out.counts(t)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		log.Error().Msg("the last word")
		if of, left := out.counts(t); of[said] != 1 || of["the last word"] != 1 || left != Most+1 {
			t.Errorf("at the end: got %v and %d left out, want one line and %d", of, left, Most+1)
		}
	})
}

// TestLimitOfManyKinds: what differs each time is bounded too.
func TestLimitOfManyKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 10_000
		var out lines
		l := &Limit{To: &out}
		for i := range n {
			log := zerolog.New(l)
			log.Warn().Msg(fmt.Sprint("of a kind of its own: ", i))
		}
		if of, _ := out.counts(t); len(of) != mostKinds+Most {
			t.Errorf("got %d lines, want %d", len(of), mostKinds+Most)
		}
		time.Sleep(Window)
		synctest.Wait()
		if of, left := out.counts(t); of[said] != 1 || left != n-mostKinds-Most {
			t.Errorf("got %v and %d left out, want one line and %d", of, left, n-mostKinds-Most)
		}
	})
}
