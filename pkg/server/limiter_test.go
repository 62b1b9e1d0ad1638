package server

import (
	"fmt"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLimiter(Rate{PerSecond: 10, Burst: 5}, func() time.Time { return now })
	steps := []struct {
		name    string
		after   time.Duration
		who     string
		n, want float64 // want: seconds to wait
	}{
		{"a burst", 0, "a", 5, 0},
		{"nothing is left", 0, "a", 1, 0.1},
		{"others have their own", 0, "b", 5, 0},
		{"half of what is needed", 50 * time.Millisecond, "a", 1, 0.05},
		{"all of it", 50 * time.Millisecond, "a", 1, 0},
		{"the clock goes back", -time.Hour, "a", 1, 0.1},
		{"no more than a burst is kept", 2 * time.Hour, "a", 5, 0},
		{"more than a burst, from a full bucket", time.Second, "a", 20, 0},
		{"is paid back", time.Second, "a", 1, 0.6}, // 5 - 20 + 10 is -5: 6 are missing
		{"nothing is asked for", 0, "a", 0, 0.5},
	}
	for _, s := range steps {
		now = now.Add(s.after)
		if got := l.take(s.who, s.n).Seconds(); got < s.want-1e-6 || got > s.want+1e-6 {
			t.Errorf("%s: got %v s, want %v s", s.name, got, s.want)
		}
	}
}

// TestLimiterForgets: callers that are gone take no room for ever.
func TestLimiterForgets(t *testing.T) {
	now := time.Unix(0, 0)
	l := newLimiter(Rate{PerSecond: 10, Burst: 5}, func() time.Time { return now })
	for i := range 100 * firstSweep {
		now = now.Add(time.Millisecond)
		l.take(fmt.Sprint(i), 1)
	}
	if n := len(l.buckets); n > 2*firstSweep {
		t.Errorf("%d buckets, want at most %d", n, 2*firstSweep)
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, seed := range []string{"state=Running", "state!=running", "state=Walking", `tag="a b" AND value<=0.5`, "param.x:y AND ", "!", "a=\"\\", "=1", "x!=\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := parseFilter(text, fields{takes: func(string) string { return "= != < <= > >= :" }}, []string{"Running"})
		if err != nil {
			return
		}
		for _, x := range out {
			if x.field == "" || x.op == "" {
				t.Errorf("%q: a term %+v", text, x)
			}
		}
	})
}

func FuzzPageToken(f *testing.F) {
	f.Add(place{List: 7, Text: "x", At: 3}.token(), uint64(7))
	f.Fuzz(func(t *testing.T, token string, list uint64) {
		p, some, err := begin(token, list)
		if err != nil || !some {
			return
		}
		again, _, err := begin(p.token(), list)
		if err != nil || order.compare(order{field: "value"}, p, again) != 0 {
			t.Errorf("%q: read %+v, and then %+v, %v", token, p, again, err)
		}
	})
}
