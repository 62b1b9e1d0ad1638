package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSocketPathIsShortAndStable(t *testing.T) {
	t.Setenv("TMPDIR", "/tmp")
	long := dataDir("/" + strings.Repeat("very-long-name/", 20))
	got, err := long.socket()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > maxSocketPath {
		t.Errorf("socket path %q has %d bytes, want at most %d", got, len(got), maxSocketPath)
	}
	info, err := os.Stat(filepath.Dir(got))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder of socket: %v, %v, want mode 0700", info, err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if again, err := long.socket(); again != got || err != nil {
		t.Errorf("socket path = %q, %v with another TMPDIR, want %q", again, err, got)
	}
	if other, _ := (long + "x").socket(); other == got {
		t.Errorf("two data directories share the socket %q", got)
	}
	if short, err := dataDir("/d").socket(); short != "/d/tuned.sock" || err != nil {
		t.Errorf("socket path = %q, %v, want /d/tuned.sock", short, err)
	}
}

func TestSocketOfALinkedFolder(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join(dir, strings.Repeat("x", 100))
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(long, 0o700), os.Symlink(long, link)); err != nil {
		t.Fatal(err)
	}
	want, err := dataDir(long).socket()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := dataDir(link).socket(); got != want || err != nil {
		t.Errorf("socket path = %q, %v by a link, want %q", got, err, want)
	}
}

func TestSocketFolderMustBeOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := private(dir); err != nil {
		t.Errorf("a new folder: %v", err)
	}
	if err := private(dir); err != nil {
		t.Errorf("a folder of ours: %v", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := private(dir); err == nil {
		t.Error("a folder that everybody may write is taken")
	}
	link := dir + "link"
	if err := errors.Join(os.Chmod(dir, 0o700), os.Symlink(dir, link)); err != nil {
		t.Fatal(err)
	}
	if err := private(link); err == nil {
		t.Error("a link is taken for a folder")
	}
}

func TestSecretIsKept(t *testing.T) {
	d := dataDir(t.TempDir())
	first, err := d.secret()
	if err != nil || len(first) != secretSize {
		t.Fatalf("secret = %d bytes, %v, want %d", len(first), err, secretSize)
	}
	if second, err := d.secret(); !bytes.Equal(first, second) || err != nil {
		t.Errorf("secret changed at the second call, error %v", err)
	}
	info, err := os.Stat(filepath.Join(string(d), "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file of the secret: %v, %v, want mode 0600", info, err)
	}
	if err := os.WriteFile(filepath.Join(string(d), "secret"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.secret(); err == nil {
		t.Error("a secret of 5 bytes is taken")
	}
}
