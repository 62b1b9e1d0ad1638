package checkpoint_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/checkpoint"
)

func never() bool { return false }

// tree is what is in a directory: by path what each entry is.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%v %d ", info.Mode(), info.ModTime().Unix())
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			text, err = os.Readlink(path)
		case info.Mode().IsRegular():
			var content []byte
			content, err = os.ReadFile(path)
			text += string(content)
		}
		out[name] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// parent makes a directory with something of each kind in it.
func parent(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "parent", "checkpoint")
	outside := filepath.Join(filepath.Dir(dir), "outside")
	old := time.Unix(1e9, 0)
	try := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	try(os.MkdirAll(filepath.Join(dir, "step", "deep"), 0o755))
	try(os.WriteFile(outside, []byte("not for the child"), 0o600))
	try(os.WriteFile(filepath.Join(dir, "step", "weights"), []byte("0.5"), 0o640))
	try(os.WriteFile(filepath.Join(dir, "run"), nil, 0o755))
	try(os.Symlink("step/weights", filepath.Join(dir, "last")))
	try(os.Symlink("../run", filepath.Join(dir, "step", "up")))
	try(os.Symlink(filepath.Join(dir, "run"), filepath.Join(dir, "step", "whole")))
	try(os.Symlink(outside, filepath.Join(dir, "base")))
	try(os.Symlink(filepath.Dir(dir), filepath.Join(dir, "above")))
	try(unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	try(os.Chtimes(filepath.Join(dir, "step", "weights"), old, old))
	try(os.Chtimes(filepath.Join(dir, "step"), old, old))
	try(os.Chmod(filepath.Join(dir, "step", "deep"), 0o555))
	return dir
}

func TestPrepareCopies(t *testing.T) {
	from := parent(t)
	dir := filepath.Join(t.TempDir(), "child", "checkpoint")
	skipped, err := checkpoint.Prepare(dir, from, never)
	if err != nil || !slices.Equal(skipped, []string{"pipe"}) {
		t.Fatalf("got %q left out, %v; want the pipe", skipped, err)
	}
	want := tree(t, from)
	delete(want, "pipe")
	want["step/whole"] = "../run" // or it would lead back to the parent
	want["step/deep"] = strings.Replace(want["step/deep"], "dr-x", "drwx", 1)
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Errorf("the copy differs (-parent +child):\n%s", diff)
	}
	if err := os.WriteFile(filepath.Join(dir, "step", "weights"), []byte("0.7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := tree(t, from)["step/weights"]; !strings.HasSuffix(got, "0.5") {
		t.Errorf("the parent's file became %q", got)
	}
}

// TestPrepare wants a directory that is there left alone, and one that is not made of what there is.
func TestPrepare(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(dir string) error
		parent func(dir string) string
		want   []string // files
		err    string
	}{
		{"no parent", nil, nil, nil, ""},
		{"a parent that has left nothing", nil, func(dir string) string { return dir + "-missing" }, nil, ""},
		{"a parent", nil, func(string) string { return parent(t) }, []string{"above", "base", "last", "run", "step"}, ""},
		{"a directory of an earlier attempt", func(dir string) error {
			return errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
		}, func(string) string { return parent(t) }, []string{"mine"}, ""},
		{"a copy that was cut short", func(dir string) error {
			return errors.Join(os.MkdirAll(dir+".new/locked", 0o700), os.WriteFile(dir+".new/locked/half", nil, 0o600), os.Chmod(dir+".new/locked", 0o500))
		}, func(string) string { return parent(t) }, []string{"above", "base", "last", "run", "step"}, ""},
		{"a parent that is a link", nil, func(dir string) string {
			if err := os.Symlink(parent(t), dir+"-link"); err != nil {
				t.Fatal(err)
			}
			return dir + "-link"
		}, nil, "it is no directory"},
		{"a file in its place", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, nil, nil, "is there, and is no directory"},
	} {
		dir := filepath.Join(t.TempDir(), "checkpoint")
		if tt.before != nil {
			if err := tt.before(dir); err != nil {
				t.Fatal(err)
			}
		}
		from := ""
		if tt.parent != nil {
			from = tt.parent(dir)
		}
		_, err := checkpoint.Prepare(dir, from, never)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.err)
		}
		if tt.err != "" {
			continue
		}
		var got []string
		entries, err := os.ReadDir(dir)
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
		if _, err := os.Lstat(dir + ".new"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the draft is left: %v", tt.name, err)
		}
	}
}

// TestPrepareGivenUp wants nothing left of a copy that is stopped, whenever that is, or that fails.
func TestPrepareGivenUp(t *testing.T) {
	from := parent(t)
	for n := range 100 {
		folder := t.TempDir()
		asked := 0
		_, err := checkpoint.Prepare(filepath.Join(folder, "checkpoint"), from, func() bool { asked++; return asked > n })
		if err == nil {
			if n < 10 {
				t.Errorf("it was asked whether to stop %d times for 11 entries", asked)
			}
			break
		}
		if left := tree(t, folder); !errors.Is(err, checkpoint.ErrStopped) || len(left) > 0 {
			t.Fatalf("stopped at question %d: got %v, %v is left", n, err, left)
		}
	}
	if os.Getuid() == 0 {
		return // who may read everything
	}
	if err := os.Chmod(filepath.Join(from, "run"), 0); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if _, err := checkpoint.Prepare(filepath.Join(folder, "checkpoint"), from, never); !errors.Is(err, fs.ErrPermission) || len(tree(t, folder)) > 0 {
		t.Errorf("of an unreadable file: got %v, %v is left", err, tree(t, folder))
	}
}

func TestRemove(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	outside := t.TempDir()
	for _, err := range []error{
		root.MkdirAll("a/b/c", 0o700), root.WriteFile("a/b/c/file", nil, 0o400), root.Symlink(outside, "a/b/link"),
		root.Chmod("a/b/c", 0o500), root.Chmod("a/b", 0), root.Chmod("a", 0o500),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := checkpoint.Remove(root, "a"); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Errorf("what a link points to: %v", err)
	}
}
