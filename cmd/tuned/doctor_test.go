package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// stored is a data directory with a store at rest.
func stored(t *testing.T) dataDir {
	t.Helper()
	d := dataDir(filepath.Join(t.TempDir(), "d"))
	s := opened(t, d)
	if err := s.Create(t.Context(), &experiment.Experiment{Metadata: experiment.Metadata{Namespace: "default", Name: "e"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(string(d), 0o700); err != nil { // as a daemon makes it
		t.Fatal(err)
	}
	return d
}

func opened(t *testing.T, d dataDir) *badger.Store {
	t.Helper()
	s, err := badger.Open(d.store(), badger.Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDoctorLooksAtTheStore: what is wrong is said, with what to do, and nothing is changed.
func TestDoctorLooksAtTheStore(t *testing.T) {
	file := func(pattern string, f func(path string) error) func(*testing.T, dataDir) {
		return func(t *testing.T, d dataDir) {
			found, err := filepath.Glob(filepath.Join(d.store(), pattern))
			if err == nil && len(found) > 0 {
				err = f(found[0])
			}
			if err != nil || len(found) == 0 {
				t.Fatalf("%s: %v, %v", pattern, found, err)
			}
		}
	}
	cut := func(path string) error { return os.Truncate(path, 9) }
	for _, test := range []struct {
		name string
		harm func(*testing.T, dataDir)
		code int
		says string // regular expression
	}{
		{"sound", func(*testing.T, dataDir) {}, exitOK, `(?m)^OK +store +its files are whole$`},
		{"manifest", file("MANIFEST", cut), exitError, `(?m)^FAIL +store +MANIFEST names no table, .*\n +-> keep a copy of the data directory, then restore a backup`},
		{"missing table", file("*.sst", os.Remove), exitError, `(?m)^FAIL +store +table 0+\d+\.sst: the file is missing.*\n +-> keep a copy`},
		{"cut table", file("*.sst", cut), exitError, `(?m)^FAIL +store +table 0+\d+\.sst: .*\n +-> keep a copy`},
		{"missing value log", file("*.vlog", os.Remove), exitOK, `(?m)^WARN +store +there is no value log`},
		{"cut value log", file("*.vlog", cut), exitOK, `(?m)^WARN +store +value log 0+\d+\.vlog, which holds nothing, is cut short`},
		{"missing watermark", file("watermark", os.Remove), exitError, `(?m)^FAIL +store +the file "watermark" is missing`},
		{"in use", func(t *testing.T, d dataDir) {
			s := opened(t, d)
			t.Cleanup(func() { _ = s.Close() }) // nothing was written
		}, exitOK, fmt.Sprintf(`(?m)^WARN +store +process %d has it( \(.+\))?, and answers nobody\n +-> wait for it`, os.Getpid())},
		{"owner of a file", func(t *testing.T, d dataDir) {
			if os.Getuid() != 0 {
				testenv.Skip(t, "only root can give a file away")
			}
			file("*.sst", func(path string) error { return os.Chown(path, 12345, -1) })(t, d)
		}, exitError, `(?m)^FAIL +store +.*\.sst belongs to user 12345, this is user 0\n +-> run tuned as its owner`},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := stored(t)
			test.harm(t, d)
			before := testenv.Tree(t, string(d))
			out, _ := call(t, t.TempDir(), test.code, "doctor", "--data-dir", string(d))
			if !regexp.MustCompile(test.says).MatchString(out) {
				t.Errorf("got\n%s\nwant %s", out, test.says)
			}
			if after := testenv.Tree(t, string(d)); !maps.Equal(after, before) {
				t.Errorf("files changed: got %v, want %v", after, before)
			}
		})
	}
}

func TestDoctorLooksAtTheDisk(t *testing.T) {
	for options, says := range map[string]string{
		"size=64m":                `(?m)^FAIL +disk +tmpfs.*, 6\d MiB free: nothing is stored.*\n +-> make room`,
		"size=3g,nr_inodes=20":    `(?m)^FAIL +disk +tmpfs.*, but room for 1\d files only\n +-> remove files`,
		"size=3g,nr_inodes=20000": `(?m)^OK +disk +tmpfs`,
	} {
		t.Run(options, func(t *testing.T) {
			mount := t.TempDir()
			if err := unix.Mount("tmpfs", mount, "tmpfs", 0, options+",mode=700"); err != nil {
				testenv.Skip(t, "cannot mount a small file system: "+err.Error())
			}
			t.Cleanup(func() {
				if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			code := exitError
			if says[5] == 'O' {
				code = exitOK
			}
			out, _ := call(t, t.TempDir(), code, "doctor", "--data-dir", mount)
			if !regexp.MustCompile(says).MatchString(out) {
				t.Errorf("got\n%s\nwant %s", out, says)
			}
		})
	}
}
