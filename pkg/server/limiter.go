package server

import (
	"sync"
	"time"
)

// limiter is a token bucket for each name.
type limiter struct {
	rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
	sweep   int // buckets at which full ones are forgotten
}

type bucket struct {
	level float64 // what may be taken
	at    time.Time
}

const firstSweep = 1024 // buckets

func newLimiter(r Rate, now func() time.Time) *limiter {
	return &limiter{rate: r, now: now, buckets: map[string]bucket{}, sweep: firstSweep}
}

// take takes n from the bucket of a name and returns 0, or takes nothing and returns how long to wait. More
// than a burst is taken from a full bucket, which then takes longer to fill.
func (l *limiter) take(name string, n float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, ok := l.buckets[name]
	if !ok {
		b = bucket{l.rate.Burst, now}
	}
	b = l.filled(b, now)
	wait := time.Duration(0)
	if need := min(n, l.rate.Burst) - b.level; need > 0 {
		wait = max(time.Duration(need/l.rate.PerSecond*float64(time.Second)), 1)
	} else {
		b.level -= n
	}
	l.buckets[name] = b
	l.forget(now)
	return wait
}

func (l *limiter) filled(b bucket, now time.Time) bucket {
	passed := max(0, now.Sub(b.at)) // clocks may go back
	return bucket{min(l.rate.Burst, b.level+passed.Seconds()*l.rate.PerSecond), now}
}

// forget drops full buckets, which are as good as none, when there are many.
func (l *limiter) forget(now time.Time) {
	if len(l.buckets) < l.sweep {
		return
	}
	for name, b := range l.buckets {
		if l.filled(b, now).level >= l.rate.Burst {
			delete(l.buckets, name)
		}
	}
	l.sweep = max(firstSweep, 2*len(l.buckets))
}
