package local

// Slots says how many places for trials are taken.
type Slots struct{ CPUs, GPUs int }

// Used returns the slots that running trials take.
func (r *Runner) Used() Slots {
	r.mu.Lock()
	defer r.mu.Unlock()
	cpus, gpus := r.free()
	return Slots{CPUs: r.CPUs - cpus, GPUs: r.GPUs - len(gpus)}
}
