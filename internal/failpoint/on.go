//go:build failpoint

package failpoint

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrInjected is the error that a point of kind "error" gives.
var ErrInjected = errors.New("fault of a failpoint")

//go:embed points.txt
var list string

// fault is what is to happen in this process.
type fault struct {
	point, kind string
	left        atomic.Int64 // hits until then
	mark        string
}

var active = mustParse(os.Getenv("TUNED_FAILPOINT"), os.Getenv("TUNED_FAILPOINT_MARK"))

// Hit marks a point at which the process may die.
func Hit(point string) { _ = at(point) }

// Err marks a point at which the process may die or an operation may fail.
func Err(point string) error { return at(point) }

var intercepted atomic.Pointer[func(point string) error]

// Intercept has f called at every point, by whatever goroutine comes by, in place of what TUNED_FAILPOINT
// says. The error of f is that of the points that can have one. nil ends it.
func Intercept(f func(point string) error) {
	if f == nil {
		intercepted.Store(nil)
		return
	}
	intercepted.Store(&f)
}

func at(point string) error {
	if f := intercepted.Load(); f != nil {
		return (*f)(point)
	}
	return active.hit(point)
}

// mustParse panics for what names no fault: a test that asks for it would show nothing.
func mustParse(text, mark string) *fault {
	f, err := parse(text, mark)
	if err != nil {
		panic(fmt.Sprintf("TUNED_FAILPOINT=%s: %v", text, err))
	}
	return f
}

func parse(text, mark string) (*fault, error) {
	f := &fault{mark: mark}
	if text == "" {
		return f, nil
	}
	var what string
	f.point, what, _ = strings.Cut(text, "=")
	kind, n, counted := strings.Cut(what, ":")
	f.kind = kind
	f.left.Store(1)
	if counted {
		times, err := strconv.ParseInt(n, 10, 64)
		if err != nil || times < 1 {
			return nil, fmt.Errorf("hit %q: want a whole number from 1", n)
		}
		f.left.Store(times)
	}
	return f, f.check()
}

// check looks the point up.
func (f *fault) check() error {
	for line := range strings.Lines(list) {
		field := strings.Fields(line)
		if len(field) < 3 || field[0] != f.point {
			continue
		}
		for _, kind := range strings.Split("panic,sleep,"+field[2], ",") {
			if kind == f.kind {
				return nil
			}
		}
		return fmt.Errorf("point %s has no fault of kind %q", f.point, f.kind)
	}
	return errors.New("no such point")
}

func (f *fault) hit(point string) error {
	if point != f.point || f.left.Add(-1) != 0 || !f.first() {
		return nil
	}
	switch f.kind {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal is there
	case "panic":
		panic("failpoint " + point)
	case "sleep":
		<-time.After(time.Second)
		return nil
	}
	return fmt.Errorf("%s: %w", point, ErrInjected)
}

// first reports whether this is the first process whose fault it is.
func (f *fault) first() bool {
	if f.mark == "" {
		return true
	}
	file, err := os.OpenFile(f.mark, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
