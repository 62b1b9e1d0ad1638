package faults_test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exitStorage is the exit code after a write to the store that failed, see docs/cli.md.
const exitStorage = 74

// TestFailedWriteEndsTheDaemon has a write to the store fail: the program ends, says where and what to do, and
// goes on at the next start.
func TestFailedWriteEndsTheDaemon(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		point string
		hit   int
	}{
		{"store.mark.write", 1}, // of an empty store that is opened
		{"store.mark.sync", 4},  // of one that is used
		{"store.txn", 1},
		{"store.txn", 12}, // while trials report
		{"store.mark.write", 12},
	} {
		for _, command := range []string{"run", "serve"} {
			f := fault{point: test.point, part: "trials", kind: "error", hit: test.hit, seed: 1}
			t.Run(command+" "+f.String(), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, f, paces[0])
				file, words := w.noisy()
				code, said := w.storageFails(command, file, words)
				if code != exitStorage {
					t.Errorf("exit code %d, want %d\n%s", code, exitStorage, said)
				}
				for _, want := range []string{filepath.Join(w.data(), "store"), test.point, "storage failed", "start again"} {
					if !strings.Contains(said, want) {
						t.Errorf("got\n%s\nwant it to say %q", said, want)
					}
				}
				w.finish(file, words)
				w.check()
			})
		}
	}
}

// storageFails runs the experiment by a command until the fault ends it.
func (w *world) storageFails(command, file string, words []string) (code int, said string) {
	w.t.Helper()
	if command == "run" {
		l := w.start(file, words...)
		code := w.end(l)
		return code, l.stderr.String()
	}
	var log bytes.Buffer
	serve := w.program("serve", "--data-dir", w.data(), "--listen", "none")
	serve.Stderr = &log
	if err := serve.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = serve.Wait(); close(ended) }()
	defer func() { _ = serve.Process.Kill() }()
	submit := append([]string{"submit", "--data-dir", w.data(), "--seed", "1", file}, words...)
	for deadline := time.After(longest); ; {
		select {
		case <-ended:
			return serve.ProcessState.ExitCode(), log.String()
		case <-deadline:
			w.t.Fatalf("tuned serve does not end\n%s", log.String())
		case <-time.After(50 * time.Millisecond):
			_ = exec.Command(filepath.Join(bin, "tuned"), submit...).Run() // until the daemon is there; the same again changes nothing
		}
	}
}
