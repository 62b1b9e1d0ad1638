package local

import (
	"slices"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// mount is the path at which a template expects the checkpoint directory of its trial, clean and
// absolute; "" for none. What a cluster mounts there, words of a command name here by its own path.
type mount string

// rewrite puts a directory in the place of the path, in the arguments and in what the template adds to the
// environment.
func (m mount) rewrite(c trialdir.Command, dir string) trialdir.Command {
	if m == "" {
		return c
	}
	c.Argv, c.Env = slices.Clone(c.Argv), slices.Clone(c.Env)
	for _, words := range [][]string{c.Argv, c.Env} {
		for i, word := range words {
			words[i] = m.replace(word, dir)
		}
	}
	return c
}

// in tells whether a word holds the path.
func (m mount) in(word string) bool { return m.index(word, 0) >= 0 }

func (m mount) replace(word, dir string) string {
	var out strings.Builder
	done := 0
	for i := m.index(word, 0); i >= 0; i = m.index(word, done) {
		out.WriteString(word[done:i])
		out.WriteString(dir)
		done = i + len(m)
	}
	return out.String() + word[done:]
}

// index returns where the path begins in a word, at from or later, -1 if it does not: the path itself, or
// what lies below it, not another path that holds its text.
func (m mount) index(word string, from int) int {
	for m != "" {
		i := strings.Index(word[from:], string(m))
		if i < 0 {
			break
		}
		i += from
		if startsPath(word, i) && endsName(word, i+len(m)) {
			return i
		}
		from = i + 1
	}
	return -1
}

// startsPath tells whether a path can start at word[i:]: at the beginning, after an option of one letter, in a URL
// without a host, or after what is no part of a path.
func startsPath(word string, i int) bool {
	switch {
	case i == 0, i == 2 && word[0] == '-' && word[1] != '-', strings.HasSuffix(word[:i], "://"):
		return true
	}
	before := word[i-1]
	return !inName(before) && !strings.ContainsRune("/)}]*?", rune(before))
}

// endsName tells whether no name of a file goes on at word[i:].
func endsName(word string, i int) bool { return i == len(word) || !inName(word[i]) }

// inName tells whether a byte is usual in the name of a file.
func inName(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b >= 0x80 || strings.IndexByte("._-~+@%#", b) >= 0
}
