package latency

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/tuned-hpo/tuned/bench/run"
)

// Ladder is the rungs of one climb.
type Ladder struct {
	Climb
	Reached []Rung `json:"reached"`
	Fault   string `json:"fault,omitempty"` // why it ended before patience did
}

// Do climbs a ladder with an optimizer: a peer in its own process, one of ours in this one, which
// should do nothing else.
func (c Climb) Do(e run.Entry) Ladder {
	l := Ladder{Climb: c}
	if err := c.do(e, &l.Reached); err != nil {
		l.Fault = err.Error()
	}
	return l
}

func (c Climb) do(e run.Entry, out *[]Rung) (err error) {
	if e.Fault != nil {
		return e.Fault
	}
	o, err := e.Open()
	if err != nil {
		return err
	}
	defer func() {
		if fault := o.Close(); err == nil {
			err = fault
		}
	}()
	last := c.Rungs[len(c.Rungs)-1] + c.Repeat*len(c.Rungs)
	if c.Ours {
		last = 0 // without a budget an algorithm must be ready for any history
	}
	t, err := task(c.Dimension, c.Pending+1, last)
	if err != nil {
		return err
	}
	climber := &climber{
		Climb: c, optimizer: o, task: t, meter: reported, deadline: time.Now().Add(c.Patience),
		source: rand.New(rand.NewPCG(1, 1)), peak: func() float64 { return peak(strconv.Itoa(process(o))) },
	}
	if c.Ours {
		climber.meter, climber.peak = measured, func() float64 { return peak("self") }
	}
	*out, err = climber.run()
	return err
}

// process is the id of the process that an optimizer works in.
func process(o run.Optimizer) int {
	if p, ok := o.(interface{ Process() int }); ok {
		return p.Process()
	}
	return os.Getpid()
}

// reported leaves the costs to the peer, which knows its own.
func reported(call func() (run.Cost, error)) (run.Cost, error) { return call() }

// measured takes the CPU time of the whole process: with the garbage collector, and with what an
// algorithm does in further threads.
func measured(call func() (run.Cost, error)) (run.Cost, error) {
	cpu, wall := run.ProcessCPU(), time.Now()
	_, err := call()
	return run.Cost{CPU: run.ProcessCPU() - cpu, Wall: time.Since(wall).Seconds()}, err
}

// peak is the most memory that a process had so far, in bytes: its VmHWM, pages of files included.
// NaN where the system does not tell.
func peak(process string) float64 {
	text, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return math.NaN()
	}
	for line := range bytes.Lines(text) {
		var kib float64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %f kB", &kib); err == nil {
			return kib * 1024
		}
	}
	return math.NaN()
}

// InChild climbs in a process of its own: this program, started with the given arguments, which
// hands the climb that it reads from standard input to Child.
func (c Climb) InChild(ctx context.Context, args ...string) Ladder {
	failed := func(err error) Ladder { return Ladder{Climb: c, Fault: err.Error()} }
	text, err := json.Marshal(c)
	if err != nil {
		return failed(err)
	}
	self, err := os.Executable()
	if err != nil {
		return failed(err)
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return failed(fmt.Errorf("measure in a process of its own: %w", err))
	}
	var l Ladder
	if err := json.Unmarshal(out, &l); err != nil {
		return failed(fmt.Errorf("measure in a process of its own: %w", err))
	}
	return l
}

// Child climbs the ladder that InChild describes, and answers it.
func Child(in []byte) ([]byte, error) {
	var c Climb
	if err := json.Unmarshal(in, &c); err != nil {
		return nil, err
	}
	e, err := run.Builtin(c.Optimizer)
	if err != nil {
		return nil, err
	}
	return json.Marshal(c.Do(e))
}
