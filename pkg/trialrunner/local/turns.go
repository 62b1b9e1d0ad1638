package local

import (
	"cmp"
	"math"
	"slices"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// room is an amount of slots.
type room struct{ cpus, gpus int }

// turn is the place of an experiment among those that wait for slots.
type turn struct {
	want  room
	since uint64 // how many waited before
}

// wait puts an experiment in the line, or changes what it waits for; r.mu is held.
func (r *Runner) wait(key experiment.Key, want room) {
	t, waits := r.waiting[key]
	if !waits {
		r.turns++
		t.since = r.turns
	}
	t.want = want
	r.waiting[key] = t
}

// line returns the experiments that wait: the fewest workloads first, then the longest wait; r.mu is
// held.
func (r *Runner) line() []experiment.Key {
	keys := make([]experiment.Key, 0, len(r.waiting))
	for key := range r.waiting {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b experiment.Key) int {
		return cmp.Or(cmp.Compare(r.running(a), r.running(b)), cmp.Compare(r.waiting[a].since, r.waiting[b].since))
	})
	return keys
}

// running returns how many workloads of an experiment have not ended; r.mu is held.
func (r *Runner) running(key experiment.Key) (n int) {
	for _, w := range r.work[key] {
		if !w.gone() {
			n++
		}
	}
	return n
}

// admits reports whether an experiment may take slots: there are enough beside those kept for the ones
// before it in the line; r.mu is held. Who is not in the line stands at the end of those with as few
// workloads.
func (r *Runner) admits(key experiment.Key, want room) bool {
	free := r.vacant()
	_, waits := r.waiting[key]
	for _, other := range r.line() {
		if other == key || !waits && r.running(other) > r.running(key) {
			break
		}
		free = free.without(r.waiting[other].want)
	}
	return free.hold(want)
}

// vacant returns the slots that nobody has; r.mu is held. Where CPUs are not counted there are always
// enough.
func (r *Runner) vacant() room {
	cpus, gpus := r.free()
	if r.CPUs == 0 {
		cpus = math.MaxInt32
	}
	return room{cpus: cpus, gpus: len(gpus)}
}

// without returns what is left when others get theirs first.
func (s room) without(taken room) room { return room{s.cpus - taken.cpus, s.gpus - taken.gpus} }

// hold reports whether an amount can be taken out; none can always be.
func (s room) hold(want room) bool {
	return (want.cpus == 0 || want.cpus <= s.cpus) && (want.gpus == 0 || want.gpus <= s.gpus)
}

// wake tells those to try again who would be admitted now, and those who wait for something else than
// slots; r.mu is held.
func (r *Runner) wake() {
	free := r.vacant()
	for _, key := range r.line() {
		want := r.waiting[key].want
		if free.hold(want) {
			r.changes.add(key)
		}
		free = free.without(want)
	}
}

// Leave takes an experiment out of the line.
func (r *Runner) Leave(key experiment.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, waits := r.waiting[key]; waits {
		delete(r.waiting, key)
		r.wake()
	}
}
