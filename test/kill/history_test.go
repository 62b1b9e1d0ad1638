package kill_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var histories = flag.Int("histories", 5, "how many histories of concurrent calls and kills are checked")

const (
	clients  = 8 // two for each way to the daemon
	parallel = 4 // fewer than clients, so that some find no room
	budget   = 20
	lives    = 3 // of the daemon in each history
)

// TestHistories has clients call a daemon that is killed now and then, and looks for an order of the
// calls, one after the other, in which a daemon that never dies would have given the same answers.
func TestHistories(t *testing.T) {
	calls, unanswered, slow, kinds := 0, 0, 0, map[operation]int{}
	for n := range *histories {
		h := record(t, *seed+uint64(n))
		calls += len(h.done)
		for _, op := range h.done {
			if op.Output.(output).answer == never {
				unanswered++
			}
			kinds[op.Input.(input).op]++
		}
		result, info := porcupine.CheckOperationsVerbose(model(), h.done, 60*time.Second)
		switch result {
		case porcupine.Illegal:
			path := filepath.Join(os.TempDir(), fmt.Sprintf("history-%d.html", *seed+uint64(n))) //nolint:usetesting // it is to outlive the test
			_ = porcupine.VisualizePath(model(), info, path)
			t.Fatalf("history %d, -kill-seed %d, is illegal: see %s", n, *seed+uint64(n), path)
		case porcupine.Unknown:
			slow++
		}
	}
	t.Logf("calls of each kind: %v", kinds)
	t.Logf("%d histories, %d calls, %d of them unanswered, %d kills: illegal 0, not decided in time %d",
		*histories, calls, unanswered, *histories*lives, slow)
	if 100*slow > *histories {
		t.Errorf("%d of %d histories were not decided in time, want 1 in 100 at most", slow, *histories)
	}
}

// history is what happened to the experiments of one daemon.
type history struct {
	t     *testing.T
	begun time.Time

	mu      sync.Mutex
	done    []porcupine.Operation
	target  int           // of done
	reached chan struct{} // closed then; nil: nobody waits for it
}

// after returns what is closed when so many more calls have come to an end.
func (h *history) after(calls int) <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.target, h.reached = len(h.done)+calls, make(chan struct{})
	return h.reached
}

// record has clients at work while the daemon is killed and started again.
func record(t *testing.T, seed uint64) *history {
	t.Helper()
	dir, err := os.MkdirTemp("", "hist") //nolint:usetesting // a folder of the test's name is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := newService(t, dir)
	s.start(t)
	h := &history{t: t, begun: time.Now()}
	ways := s.callers(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all sync.WaitGroup
	for i := range clients {
		c := &client{history: h, id: i, way: ways[i%len(ways)], random: rand.New(rand.NewPCG(seed, uint64(i)))}
		all.Go(func() { c.work(ctx) })
	}
	random := rand.New(rand.NewPCG(seed, 99))
	for life := range lives {
		select {
		case <-h.after(50 + random.IntN(80)):
		case <-s.exited:
		}
		if s.kill(time.Duration(random.Int64N(int64(20 * time.Millisecond)))) {
			t.Fatalf("the daemon ended by itself: %v\n%s", s.err, s.output.String())
		}
		if life < lives-1 {
			s.start(t)
		}
	}
	cancel()
	all.Wait()
	for _, way := range ways {
		way.close()
	}
	return h
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// named is the manifest of an experiment that clients evaluate.
func named(name string, budget int) string {
	return strings.Replace(spec(budget), "name: kill", "name: "+name, 1)
}

// client makes calls, one after the other.
type client struct {
	*history
	id     int
	way    caller
	random *rand.Rand
	n      int // numbers what it asks for
}

// work does this and that until ctx ends.
func (c *client) work(ctx context.Context) {
	for ctx.Err() == nil {
		in := input{experiment: []string{"a", "b"}[c.random.IntN(2)]}
		c.n++
		switch n := c.random.IntN(100); {
		case n < 35:
			c.evaluate(ctx, in)
		case n < 45:
			in.op, in.request = opEnqueue, c.fresh()
			c.insist(ctx, in)
		case n < 53:
			in.op, in.request, in.text = opTellPoint, c.fresh(), c.value()
			c.insist(ctx, in)
		case n < 77:
			in.op = []operation{opGet, opList}[c.random.IntN(2)]
			c.call(ctx, in)
		default:
			c.control(ctx, in, n-77)
		}
		pause(ctx, time.Duration(c.random.IntN(12))*time.Millisecond)
	}
}

// control does something to an experiment as a whole, in one of 23 ways.
func (c *client) control(ctx context.Context, in input, way int) {
	switch {
	case way < 3:
		in.op = opPause
	case way < 9:
		in.op = opResume
	case way < 11:
		in.op, in.drain = opStop, c.random.IntN(2) == 0
	case way < 17:
		in.op, in.max = opExtend, 8+c.random.IntN(40)
	case way < 20:
		in.op, in.text = opAnnotate, c.fresh()
	case way < 22:
		in.op = opCreate
	default:
		in.op = opDelete
	}
	if out := c.call(ctx, in); in.op == opDelete && out.answer != never {
		c.insist(ctx, input{op: opCreate, experiment: in.experiment})
	}
}

func (c *client) fresh() string { return fmt.Sprintf("c%d-%d", c.id, c.n) }
func (c *client) value() string { return strconv.Itoa(c.id*1000 + c.n) }

// insist repeats a call until it is answered, as clients do that give their requests names.
func (c *client) insist(ctx context.Context, in input) (out output) {
	for out.answer == never && ctx.Err() == nil {
		if out = c.call(ctx, in); out.answer == missing && in.op != opTell {
			c.call(ctx, input{op: opCreate, experiment: in.experiment})
		}
	}
	return out
}

// evaluate asks for a trial and tells its result, or has it stopped.
func (c *client) evaluate(ctx context.Context, in input) {
	ask := in
	ask.op, ask.request = opAsk, c.fresh()
	if in.trial = c.insist(ctx, ask).trial; in.trial == "" {
		return
	}
	for seq := range uint64(c.random.IntN(3)) {
		report := in
		report.op, report.seq = opReport, seq+1
		if out := c.insist(ctx, report); out.answer != answered || out.stop {
			break
		}
		pause(ctx, time.Duration(c.random.IntN(5))*time.Millisecond)
	}
	if c.random.IntN(3) == 0 {
		look := in
		look.op = opShouldStop
		c.call(ctx, look)
	}
	if c.random.IntN(5) == 0 {
		stop := in
		stop.op = opStopTrial
		c.call(ctx, stop)
	}
	in.op, in.text = opTell, c.value()
	c.insist(ctx, in)
	if c.random.IntN(4) == 0 {
		in.text = "7" // another result
		c.call(ctx, in)
	}
}

// call makes a call and notes it. One that nobody took is made again.
func (c *client) call(ctx context.Context, in input) output {
	for ctx.Err() == nil {
		began := time.Since(c.begun)
		limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
		out, f := carryOut(limited, c.way, in)
		over := limited.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case f != nil && f.unsent:
			pause(ctx, 5*time.Millisecond)
			continue
		case f != nil && (f.reason != "" && f.reason != "CANCELED" || over):
			c.t.Errorf("%+v: %v", in, f)
		}
		c.note(in, out, began, ctx.Err() != nil)
		return out
	}
	return output{}
}

// note keeps a call. What the daemon was killed over it has done before, or never does; what the client
// gave up it may do later.
func (c *client) note(in input, out output, began time.Duration, gaveUp bool) {
	op := porcupine.Operation{ClientId: c.id, Input: in, Call: int64(began), Output: out, Return: int64(time.Since(c.begun))}
	if out.answer == never && (in.op == opGet || in.op == opList || in.op == opShouldStop) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if gaveUp && out.answer == never {
		op.ClientId, op.Return = clients+len(c.done), 1<<62 // one client can have only one call open
	}
	c.done = append(c.done, op)
	if c.reached != nil && len(c.done) >= c.target {
		close(c.reached)
		c.reached = nil
	}
	if second := map[operation]operation{opDelete: opDeleted, opStopTrial: opEndTrial}[in.op]; second != "" && out.answer == answered {
		in.op = second
		op.ClientId, op.Input = clients+len(c.done), in
		c.done = append(c.done, op)
	}
}
