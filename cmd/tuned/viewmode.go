package main

import (
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
			return newTerminal(a.stdout)
		}
	}
	return &plain{out: a.stdout}
}

// onTerminal reports whether standard output is a terminal that can redraw, and may.
func (a *app) onTerminal() bool {
	return a.isTerminal() && a.getenv("TERM") != "dumb" && a.getenv("NO_COLOR") == ""
}

// isTerminal reports whether standard output is a terminal.
func (a *app) isTerminal() bool {
	f, ok := a.stdout.(*os.File)
	return ok && isTerminal(f)
}

// columns is the width of the terminal that standard output is; 0 when it is none.
func (a *app) columns() int {
	f, ok := a.stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
