package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// viewModes are the values of --progress.
var viewModes = []string{"auto", "plain", "json", "none"}

// newView returns the view of a --progress mode.
func (a *app) newView(mode string) view {
	switch mode {
	case "none":
		return silent{}
	case "json":
		return &lines{out: a.stdout}
	case "auto":
		if a.onTerminal() {
			return newTerminal(a.outTerminal)
		}
	}
	return &plain{out: a.stdout}
}

// onTerminal reports whether standard output is a terminal that can redraw, and may.
func (a *app) onTerminal() bool {
	return a.isTerminal() && a.getenv("TERM") != "dumb" && a.getenv("NO_COLOR") == ""
}

// isTerminal reports whether standard output is a terminal.
func (a *app) isTerminal() bool { return a.outTerminal != nil }

// columns is the width of the terminal that standard output is; 0 when it is none.
func (a *app) columns() int {
	if a.outTerminal == nil {
		return 0
	}
	width, _, err := term.GetSize(int(a.outTerminal.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// text is standard output for text that people read, also where it goes to a terminal by way of a pager.
func (a *app) text() io.Writer { return &quiet{to: a.stdout} }

// guarded returns what to write to in place of standard output or standard error: a terminal is not driven by
// what clients and trials wrote. terminal is nil where it is none.
func guarded(w io.Writer) (out io.Writer, terminal *os.File) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return w, nil
	}
	return &quiet{to: f}, f
}
