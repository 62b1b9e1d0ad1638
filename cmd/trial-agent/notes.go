package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// maxNotes bounds the agent's own log.
const maxNotes = 500

// notes is the agent's own log: one line each, and not more than maxNotes.
type notes struct {
	mu    sync.Mutex
	w     io.Writer
	count int
	last  string
}

func newNotes(w io.Writer) *notes { return &notes{w: w} }

// add writes a line. The same text as in the line before is left out.
func (n *notes) add(format string, args ...any) {
	text := printable(fmt.Sprintf(format, args...))
	n.mu.Lock()
	defer n.mu.Unlock()
	if text == n.last || n.count >= maxNotes {
		return
	}
	n.count++
	n.last = text
	fmt.Fprintf(n.w, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), text)
	if n.count == maxNotes {
		fmt.Fprintln(n.w, "nothing more is noted")
	}
}

// printable escapes what could do something to a terminal or look like a line of its own.
func printable(s string) string {
	quoted := strconv.Quote(s)
	var out []byte
	for inner := quoted[1 : len(quoted)-1]; inner != ""; {
		if len(inner) > 1 && inner[0] == '\\' && inner[1] == '"' {
			inner = inner[1:]
			continue
		}
		if len(inner) > 1 && inner[0] == '\\' {
			out, inner = append(out, inner[:2]...), inner[2:]
			continue
		}
		out, inner = append(out, inner[0]), inner[1:]
	}
	return string(out)
}
