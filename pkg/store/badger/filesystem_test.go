package badger

import (
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/store"
)

func TestRefuseRemote(t *testing.T) {
	for _, test := range []struct {
		name   string
		kind   int64
		refuse bool
	}{
		{"ext4", 0xef53, false},
		{"xfs", 0x58465342, false},
		{"tmpfs", 0x01021994, false},
		{"overlay", 0x794c7630, false},
		{"a file system of type 0x1234", 0x1234, false},
		{"NFS", 0x6969, true},
		{"SMB", 0x517b, true},
		{"SMB", 0xfe534d42, true},
		{"CIFS", 0xff534d42, true},
		{"CIFS", -0xacb2be, true}, // as a 32-bit number with a sign
		{"FUSE", 0x65735546, true},
		{"9p", 0x01021997, true},
		{"Ceph", 0x00c36400, true},
	} {
		statfs := func(dir string, s *unix.Statfs_t) error {
			if dir != "/there" {
				return unix.ENOENT
			}
			s.Type = test.kind
			return nil
		}
		got, err := fileSystemOf("/there/not/yet", statfs)
		if err != nil || got.Remote != test.refuse || !nameBegins(got.Name, test.name) {
			t.Errorf("%#x: got %+v, %v, want %s, remote: %t", test.kind, got, err, test.name, test.refuse)
		}
		if err := refuseRemote("/there/not/yet", statfs); errors.Is(err, store.ErrInvalid) != test.refuse {
			t.Errorf("%s: got %v, want refused: %t", test.name, err, test.refuse)
		}
	}
	failing := func(string, *unix.Statfs_t) error { return unix.EIO }
	if err := refuseRemote("/there", failing); !errors.Is(err, unix.EIO) {
		t.Errorf("got %v, want %v", err, unix.EIO)
	}
}

func nameBegins(got, want string) bool { return len(got) >= len(want) && got[:len(want)] == want }

// On a real FUSE mount nothing is made.
func TestRefuseFUSE(t *testing.T) {
	dir := testenv.FUSE(t)
	if f, err := FileSystemOf(dir); err != nil || f != (FileSystem{"FUSE", true}) {
		t.Fatalf("got %+v, %v, want FUSE", f, err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "data", "store")} {
		if _, err := Open(path, small); !errors.Is(err, store.ErrInvalid) {
			t.Errorf("open %s: got %v, want %v", path, err, store.ErrInvalid)
		}
	}
	allowing := small
	allowing.AllowRemote = true
	if _, err := Open(dir, allowing); err == nil || errors.Is(err, store.ErrInvalid) {
		t.Errorf("open with leave: got %v, want an error of the file system, which can hold no file", err)
	}
}
