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
func threadCPU() float64 { return clock(unix.CLOCK_THREAD_CPUTIME_ID) }

// ProcessCPU is the CPU time of this process, in seconds.
func ProcessCPU() float64 { return clock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func clock(id int32) float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic(err) // every Linux has these clocks
	}
	return float64(t.Sec) + float64(t.Nsec)*1e-9
}
