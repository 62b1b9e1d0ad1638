package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

const (
	adviceOwner  = "run tuned as its owner, or give another --data-dir"
	adviceBackup = "keep a copy of the data directory, then restore a backup into a new one: tuned store restore FILE --data-dir DIR"
)

// checkStore looks at the files of the store from outside, also when a daemon has it.
func (d *doctor) checkStore(dir dataDir) {
	const check = "store"
	if found, other := foreign(string(dir)); other {
		d.fail(check, found, adviceOwner+"; files that sudo has made are given back by chown -R")
		return
	}
	c, err := badger.Inspect(dir.store())
	switch {
	case err != nil:
		d.fail(check, err.Error(), adviceOwner)
	case !c.Found:
		d.ok(check, "nothing is stored yet")
	case c.Holder != "" && dir.served():
		d.ok(check, "a daemon has it, %s", c.Holder)
	case c.Holder != "":
		d.warn(check, fmt.Sprintf("%s has it%s, and answers nobody", c.Holder, commandOf(c.Holder)),
			"wait for it, or end it; whatever wants to write waits too")
	case len(c.Damaged) > 0:
		for _, err := range c.Damaged {
			d.fail(check, plainText(err), adviceBackup)
		}
	case len(c.Odd) > 0:
		for _, err := range c.Odd {
			d.warn(check, err.Error(), "find out who removes or changes files there; tuned fsck checks what is stored")
		}
	default:
		d.ok(check, "its files are whole")
	}
}

// foreign says which files of a data directory belong to somebody else, or cannot be looked at. What trials
// write is theirs.
func foreign(dir string) (found string, any bool) {
	var others []string
	var owner uint32
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if path == dataDir(dir).trials() {
			return fs.SkipDir
		}
		if err == nil {
			if info, gone := entry.Info(); gone == nil {
				if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Getuid() {
					others, owner = append(others, path), stat.Uid
				}
			}
		}
		return nil // what goes meanwhile is nobody's
	})
	switch n := len(others) - 1; {
	case n < 0:
		return "", false
	case n == 0:
		return fmt.Sprintf("%s belongs to user %d, this is user %d", others[0], owner, os.Getuid()), true
	default:
		return fmt.Sprintf("%s and %d more files belong to user %d, this is user %d", others[0], n, owner, os.Getuid()), true
	}
}

// commandOf names the program of a process, where that can be known.
func commandOf(holder string) string {
	pid, ok := strings.CutPrefix(holder, "process ")
	if !ok {
		return ""
	}
	name, err := os.ReadFile(filepath.Join("/proc", pid, "comm"))
	if err != nil {
		return ""
	}
	return " (" + strings.TrimSpace(string(name)) + ")"
}
