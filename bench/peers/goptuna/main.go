// Command goptuna speaks the protocol of ../README.md as one of goptuna's samplers: tpe, cmaes or
// sobol.
//
// TPE suggests define-by-run: parameters that are not active are not suggested. The other samplers know
// the space from the start, and refuse conditional parameters. Ints and
// numbers on a grid are suggested as discrete floats with a step of 1, for goptuna's ints never reach
// the upper end of their range; an int on a log scale is a logarithmic float from half below its range
// to half above. A failed trial gets the state of one. Asked trials that are not told stay running.
// Equal seeds need not give equal points: goptuna ranges over maps while it draws.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	method := ""
	if len(os.Args) == 2 {
		method = os.Args[1]
	}
	if _, ok := samplers[method]; !ok {
		fmt.Fprintf(os.Stderr, "no sampler %q; want tpe, cmaes or sobol\n", method)
		os.Exit(2)
	}
	if err := serve(method, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// request is any line that is read.
type request struct {
	Op          string          `json:"op"`
	ID          uint64          `json:"id"`
	Losses      []float64       `json:"losses"`
	Seed        uint64          `json:"seed"`
	Objectives  int             `json:"objectives"`
	Constraints json.RawMessage `json:"constraints"` // their number in a start, their values in a tell
	Space       []parameter     `json:"space"`
}

type object map[string]any

// serve answers requests until the input ends.
func serve(method string, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	var r *run
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var q request
		answer := object{}
		if err = json.Unmarshal(line, &q); err == nil {
			answer, err = reply(method, &r, q)
		}
		if err != nil {
			r = nil
			answer = object{"error": strings.Join(strings.Fields(err.Error()), " ")}
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

// reply carries out one request.
func reply(method string, r **run, q request) (object, error) {
	switch {
	case q.Op == "hello":
		version := libraryVersion()
		return object{"name": "goptuna-" + method, "version": version, "parts": object{"goptuna": version}}, nil
	case q.Op == "start" && (q.Objectives > 1 || string(q.Constraints) != "0"):
		*r = nil
		return object{"unsupported": "it takes one objective and no constraints"}, nil
	case q.Op == "start" && method != "tpe" && slices.ContainsFunc(q.Space, func(p parameter) bool { return p.Parent != "" }):
		*r = nil
		return object{"unsupported": "it samples whole points only"}, nil
	case q.Op == "start":
		var err error
		*r, err = newRun(method, q)
		return object{"ok": true}, err
	case q.Op == "end":
		*r = nil
		return object{"ok": true}, nil
	case *r == nil:
		return nil, fmt.Errorf("%s outside a run", q.Op)
	case q.Op == "ask":
		cpu, wall := seconds(), time.Now()
		point, err := (*r).ask(q.ID)
		return object{"point": point, "cpu": seconds() - cpu, "wall": time.Since(wall).Seconds()}, err
	case q.Op == "tell":
		cpu, wall := seconds(), time.Now()
		err := (*r).tell(q.ID, q.Losses)
		return object{"ok": true, "cpu": seconds() - cpu, "wall": time.Since(wall).Seconds()}, err
	}
	return nil, fmt.Errorf("unknown op %q", q.Op)
}

// seconds is the processor time that this process has used.
func seconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) * 1e-9
}

// libraryVersion is goptuna's version as this program was built.
func libraryVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "github.com/c-bata/goptuna" {
				return d.Version
			}
		}
	}
	return "unknown"
}
