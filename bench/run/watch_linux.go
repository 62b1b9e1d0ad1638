package run

import (
	"time"

	"golang.org/x/sys/unix"
)

// watch measures one call on the thread at hand.
type watch struct {
	wall time.Time
	cpu  float64
}

func startWatch() watch { return watch{wall: time.Now(), cpu: threadCPU()} }

func (w watch) cost() Cost {
	return Cost{CPU: threadCPU() - w.cpu, Wall: time.Since(w.wall).Seconds()}
}

// threadCPU is the CPU time of this thread, in seconds.
func threadCPU() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err) // the clock is there on every Linux
	}
	return float64(t.Sec) + float64(t.Nsec)*1e-9
}
