package badger

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	badgerdb "github.com/dgraph-io/badger/v4"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// harm does something to each file of a pattern.
func harm(pattern string, f func(path string) error) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: got %v, %v, want files", pattern, found, err)
		}
		for _, path := range found {
			if err := f(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func absent(pattern string) func(t *testing.T, dir string) { return harm(pattern, os.Remove) }

// cut leaves so many bytes.
func cut(pattern string, size int64) func(t *testing.T, dir string) {
	return harm(pattern, func(path string) error { return os.Truncate(path, size) })
}

// changed has another byte at a place.
func changed(pattern string, at int64) func(t *testing.T, dir string) {
	return harm(pattern, func(path string) error {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = file.WriteAt([]byte{0x55}, at)
		return err
	})
}

func TestInspect(t *testing.T) {
	base := t.TempDir()
	newOne(t, base, 10)
	for _, test := range []struct {
		name         string
		harm         func(t *testing.T, dir string)
		damaged, odd string // what is said; "" for nothing
	}{
		{"nothing", func(*testing.T, string) {}, "", ""},
		{"no manifest", absent("MANIFEST"), "MANIFEST is missing", ""},
		{"empty manifest", cut("MANIFEST", 0), "MANIFEST", ""},
		{"cut manifest", cut("MANIFEST", 7), "MANIFEST", ""},
		{"manifest cut before its first table", cut("MANIFEST", 9), "MANIFEST names no table, but ", ""},
		{"foreign manifest", changed("MANIFEST", 0), "MANIFEST", ""},
		{"damaged manifest", changed("MANIFEST", 20), "MANIFEST", ""},
		{"no table", absent("*.sst"), ".sst: the file is missing", ""},
		{"empty table", cut("*.sst", 0), ".sst: ", ""},
		{"cut table", cut("*.sst", 100), ".sst: ", ""},
		{"damaged table", changed("*.sst", 30), ".sst: block 0", ""},
		{"no value log", absent("*.vlog"), "", "no value log"},
		{"empty value log", cut("*.vlog", 0), "", "cut short"},
		{"cut value log", cut("*.vlog", 10), "", "cut short"},
		{"damaged value log", changed("*.vlog", 7), ".vlog is written with key", ""},
		{"damaged keys", changed("KEYREGISTRY", 20), "KEYREGISTRY", ""},
		{"cut keys", cut("KEYREGISTRY", 3), "KEYREGISTRY", ""},
		{"no watermark", absent(watermarkName), "watermark", ""},
		{"cut watermark", cut(watermarkName, 3), "watermark", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			test.harm(t, dir)
			before := testenv.Tree(t, dir)
			c, err := Inspect(dir)
			if err != nil || !c.Found || c.Holder != "" {
				t.Fatalf("got %+v, %v, want a store that nobody has", c, err)
			}
			if got := fmt.Sprint(c.Damaged); (len(c.Damaged) > 0) != (test.damaged != "") || !strings.Contains(got, test.damaged) {
				t.Errorf("damaged: got %v, want %q", got, test.damaged)
			}
			if got := fmt.Sprint(c.Odd); (len(c.Odd) > 0) != (test.odd != "") || !strings.Contains(got, test.odd) {
				t.Errorf("odd: got %v, want %q", got, test.odd)
			}
			if after := testenv.Tree(t, dir); !maps.Equal(after, before) {
				t.Errorf("files changed: got %v, want %v", after, before)
			}
			s, err := Open(dir, small)
			if tables := glob(t, dir, "*.sst"); len(tables) == 0 && !strings.Contains(test.name, "no table") {
				t.Error("opening a damaged store has deleted its tables")
			}
			if (err != nil) != (test.damaged != "") {
				t.Errorf("open: got %v, want an error where it is damaged: %q", err, test.damaged)
			}
			if err == nil {
				mustClose(t, s)
			}
		})
	}
}

func TestInspectWithoutStore(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "absent")} {
		if c, err := Inspect(path); err != nil || c.Found {
			t.Errorf("%s: got %+v, %v, want nothing", path, c, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v, want nothing made", left, err)
	}
}

// A store that is written to changes all the time: it is looked at no further.
func TestInspectInUse(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 10)
	s := mustOpen(t, dir)
	c, err := Inspect(dir)
	if want := fmt.Sprintf("process %d", os.Getpid()); err != nil || !c.Found || c.Holder != want || len(c.Damaged)+len(c.Odd) > 0 {
		t.Errorf("got %+v, %v, want it held by %s", c, err, want)
	}
	mustClose(t, s)
	s, err = Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	if c, err := Inspect(dir); err != nil || c.Holder != "" || len(c.Damaged)+len(c.Odd) > 0 {
		t.Errorf("beside a reader: got %+v, %v, want it looked at, and whole", c, err)
	}
}

// A log of values that a killed process had no time to lay out is no damage.
func TestEmptyValueLogAfterKill(t *testing.T) {
	dir := t.TempDir()
	newOne(t, dir, 3)
	if err := os.WriteFile(filepath.Join(dir, "000099.vlog"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	if _, err := os.Stat(filepath.Join(dir, badgerdb.ManifestFilename)); err != nil {
		t.Error(err)
	}
}
