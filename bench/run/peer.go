package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// patience is how long a peer may take for one answer before it is given up, and greeting for the
// first, when imports of Python libraries take up to a minute on a busy machine.
const (
	patience = 10 * time.Minute
	greeting = 3 * time.Minute
)

// errInterrupted says that the context of a peer has ended, and the peer with it.
var errInterrupted = errors.New("interrupted")

// Peer returns the entry of a peer that speaks the line protocol of bench/peers/README.md. It is
// started once to ask for its version.
// The end of the context ends all its processes.
func Peer(ctx context.Context, name string, command ...string) Entry {
	e := Entry{
		Name: name, Open: func() (Optimizer, error) { return openPeer(ctx, greeting, command) },
		Train: func() (Trainer, error) {
			p, err := openPeer(ctx, greeting, command)
			return &trainingPeer{peer: p}, err
		},
	}
	p, err := openPeer(ctx, greeting, command)
	if err != nil {
		e.Fault = err
		return e
	}
	e.Version = p.version
	e.Fault = p.Close()
	return e
}

// peer is a running child process.
type peer struct {
	version string
	stopped <-chan struct{} // closed by an interrupt
	cmd     *exec.Cmd
	in      io.WriteCloser
	lines   chan []byte // of its standard output; closed at its end
	errors  tail
	space   *searchspace.Space
	pending []uint64
}

// answer is any line that a peer writes, as far as it is read.
type answer struct {
	Version     string            `json:"version"`
	Parts       map[string]string `json:"parts"`
	Unsupported string            `json:"unsupported"`
	Error       string            `json:"error"`
	Point       map[string]any    `json:"point"`
	Stop        bool              `json:"stop"`
	CPU         float64           `json:"cpu"`
	Wall        float64           `json:"wall"`
}

func openPeer(ctx context.Context, limit time.Duration, command []string) (*peer, error) {
	p := &peer{stopped: ctx.Done(), cmd: exec.CommandContext(ctx, command[0], command[1:]...), lines: make(chan []byte)}
	// One thread each, as ours: the machine is shared by the workers of the bench.
	p.cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "GOMAXPROCS=1")
	p.cmd.Stderr = &p.errors
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	hello, err := p.callWithin(limit, map[string]any{"op": "hello"})
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.version = versionText(hello)
	return p, nil
}

// versionText is a peer's version with those of its parts.
func versionText(a answer) string {
	var parts []string
	for name, version := range a.Parts {
		parts = append(parts, name+" "+version)
	}
	slices.Sort(parts)
	return strings.TrimSpace(a.Version + " (" + strings.Join(parts, ", ") + ")")
}

// read passes on the lines that the peer writes.
func (p *peer) read(out io.Reader) {
	defer close(p.lines)
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		p.lines <- line
	}
}

// call sends one request and returns its answer.
func (p *peer) call(request any) (answer, error) { return p.callWithin(patience, request) }

// callWithin waits no longer than the limit.
func (p *peer) callWithin(limit time.Duration, request any) (answer, error) {
	text, err := json.Marshal(request)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(text, '\n')); err != nil {
		return answer{}, p.ended()
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case line, ok := <-p.lines:
		if !ok {
			return answer{}, p.ended()
		}
		var a answer
		if err := json.Unmarshal(line, &a); err != nil {
			return answer{}, fmt.Errorf("the peer answered %q: %w", line, err)
		}
		if a.Error != "" {
			return answer{}, errors.New(a.Error)
		}
		return a, nil
	case <-timer.C:
		return answer{}, fmt.Errorf("no answer to %s within %s%s", text, limit, p.errors.text())
	}
}

// ended says why there is no more answer.
func (p *peer) ended() error {
	p.wait()
	select {
	case <-p.stopped:
		return errInterrupted
	default:
		return fmt.Errorf("the peer has ended%s", p.errors.text())
	}
}

func (p *peer) Start(t Task) error { return p.start(t, 0) }

// start begins a run of trials that are trained for so many epochs, or, of 0, have one loss each.
func (p *peer) start(t Task, epochs int) error {
	space, err := describe(t.Problem.Space)
	if err != nil {
		return err
	}
	request := map[string]any{
		"op": "start", "seed": t.Seed, "budget": t.Problem.Budget, "objectives": t.Problem.Objectives,
		"constraints": t.Problem.Constraints, "parallel": t.Workers, "space": space,
	}
	if epochs > 0 {
		request["epochs"] = epochs
	}
	a, err := p.call(request)
	switch {
	case err != nil:
		return fmt.Errorf("start: %w", err)
	case a.Unsupported != "":
		return fmt.Errorf("%w: %s", ErrUnsupported, a.Unsupported)
	}
	p.space, p.pending = t.Problem.Space, nil
	return nil
}

func (p *peer) Ask(id uint64) (searchspace.Point, Cost, error) {
	a, err := p.call(map[string]any{"op": "ask", "id": id})
	if err != nil {
		return nil, Cost{}, err
	}
	cost := Cost{CPU: a.CPU, Wall: a.Wall}
	point, err := pointOf(p.space, a.Point)
	return point, cost, err
}

func (p *peer) Tell(id uint64, o Outcome) (Cost, error) {
	losses, constraints := o.Losses, o.Constraints
	if o.Failed() {
		losses, constraints = nil, nil
	}
	for _, l := range losses {
		if math.IsInf(l, 0) {
			return Cost{}, fmt.Errorf("loss %g has no JSON", l)
		}
	}
	if constraints == nil {
		constraints = []float64{}
	}
	a, err := p.call(map[string]any{"op": "tell", "id": id, "losses": losses, "constraints": constraints})
	return Cost{CPU: a.CPU, Wall: a.Wall}, err
}

func (p *peer) End() error {
	_, err := p.call(map[string]any{"op": "end"})
	return err
}

// Process is the id of the peer's process.
func (p *peer) Process() int { return p.cmd.Process.Pid }

// Close ends the process.
func (p *peer) Close() error {
	err := p.in.Close()
	p.wait()
	if errors.Is(err, os.ErrClosed) { // it had ended already
		return nil
	}
	return err
}

// wait waits until the process has ended and its last words are read. If it has not within a second,
// it is killed.
func (p *peer) wait() {
	kill := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.lines { // until the process has closed its output
	}
	_ = p.cmd.Wait() // how it ends no longer matters
}
