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
)

// giveBackMemory gives the system what a burst of work has left behind, such as the start with a large store,
// once the daemon is idle. The runtime would keep as much again as is in use. It ends with ctx.
func giveBackMemory(ctx context.Context) {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	given, before := uint64(0), uint64(0)
	for {
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
		now := allocated()
		if now-given > muchAllocated && now-before < littleAllocated {
			debug.FreeOSMemory()
			now = allocated()
			given = now
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
