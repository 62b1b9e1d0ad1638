package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// TestPlainText: errors of the system come without the names of calls, those of the store without their kinds.
func TestPlainText(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent")
	_, open := os.Open(absent)
	_, read := os.ReadFile(dir)
	_, run := exec.LookPath(absent)
	_, listen := net.Listen("tcp", "192.0.2.1:1")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"no file", fmt.Errorf("read experiment: %w", open), "read experiment: " + absent + ": no such file or directory"},
		{"a folder", fmt.Errorf("read experiment: %w", read), "read experiment: " + dir + ": is a directory"},
		{"rename", os.Rename(absent, filepath.Join(dir, "b")), filepath.Join(dir, "b") + ": no such file or directory"},
		{"no program", run, absent + ": no such file or directory"},
		{"an address", listen, "192.0.2.1:1: cannot assign requested address"},
		{"two", errors.Join(open, read), absent + ": no such file or directory\n" + dir + ": is a directory"},
		{"conflict", fmt.Errorf("it is running: %w", store.ErrConflict), "it is running"},
		{"another", errors.New("no such experiment"), "no such experiment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := plainText(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
