package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryLimit is what the garbage collector keeps the daemon under where it can. It bounds the
// peak of a bulk load; GOMEMLIMIT says otherwise.
const memoryLimit = 256 << 20 // bytes

const (
	muchAllocated   = 32 << 20 // bytes since memory was last given back, from which that is worth it
	littleAllocated = 1 << 20  // bytes in a second, up to which the daemon is idle
	// linger is how many idle seconds what is kept for the next burst of work has to go: the store lets go of
	// eight buffers of compaction, one in two seconds.
	linger = 20
)

// giveBackMemory gives the system what a burst of work has left behind, such as the start with a large store,
// once the daemon is idle, and once more when it has been for long. The runtime would keep as much again as is
// in use. It ends with ctx.
func giveBackMemory(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	given, before, idle, again := uint64(0), uint64(0), 0, false
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		if idle++; now-before >= littleAllocated {
			idle = 0
		}
		if burst := now-given > muchAllocated; burst && idle > 0 || again && idle == linger {
			debug.FreeOSMemory()
			now = allocated()
			given, again = now, burst
		}
		before = now
	}
}

// allocated returns how many bytes were allocated up to now.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
