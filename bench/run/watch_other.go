//go:build !linux

package run

import "time"

// watch measures one call. Without a clock of the thread, CPU time is wall time.
type watch struct{ wall time.Time }

func startWatch() watch { return watch{wall: time.Now()} }

func (w watch) cost() Cost {
	s := time.Since(w.wall).Seconds()
	return Cost{CPU: s, Wall: s}
}

// ProcessCPU is wall time here.
func ProcessCPU() float64 { return time.Since(started).Seconds() }

var started = time.Now()
