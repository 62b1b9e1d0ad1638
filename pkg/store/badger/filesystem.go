package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// FileSystem is what a directory is on.
type FileSystem struct {
	Name string
	// Remote file systems are reached over a network or through another process: their locks and memory
	// maps do not hold what Badger expects of them.
	Remote bool
}

// fileSystems are those that are known, by their numbers from statfs(2).
var fileSystems = map[uint32]FileSystem{
	unix.EXT4_SUPER_MAGIC:      {"ext4", false},
	unix.XFS_SUPER_MAGIC:       {"xfs", false},
	unix.BTRFS_SUPER_MAGIC:     {"btrfs", false},
	unix.F2FS_SUPER_MAGIC:      {"f2fs", false},
	0x2fc12fc1:                 {"zfs", false},
	unix.TMPFS_MAGIC:           {"tmpfs, which a restart of the machine empties", false},
	unix.OVERLAYFS_SUPER_MAGIC: {"overlay, which goes with its container", false},

	unix.NFS_SUPER_MAGIC:  {"NFS", true},
	unix.SMB_SUPER_MAGIC:  {"SMB", true},
	unix.SMB2_SUPER_MAGIC: {"SMB", true},
	unix.CIFS_SUPER_MAGIC: {"CIFS", true},
	unix.FUSE_SUPER_MAGIC: {"FUSE", true},
	unix.V9FS_MAGIC:       {"9p", true},
	unix.CEPH_SUPER_MAGIC: {"Ceph", true},
	unix.AFS_FS_MAGIC:     {"AFS", true},
	unix.CODA_SUPER_MAGIC: {"Coda", true},
	0x0bd00bd3:            {"Lustre", true},
	0x47504653:            {"GPFS", true},
	0x786f4256:            {"vboxsf", true},
	0xbacbacbc:            {"vmhgfs", true},
}

// FileSystemOf returns what a directory is on, or the folder in which it would be made.
func FileSystemOf(dir string) (FileSystem, error) { return fileSystemOf(dir, unix.Statfs) }

func fileSystemOf(dir string, statfs func(string, *unix.Statfs_t) error) (FileSystem, error) {
	for {
		var s unix.Statfs_t
		err := statfs(dir, &s)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return FileSystem{}, &os.PathError{Op: "look at file system of", Path: dir, Err: err}
		}
		kind := uint32(s.Type) // which some processors have as a negative number
		if known, ok := fileSystems[kind]; ok {
			return known, nil
		}
		return FileSystem{Name: fmt.Sprintf("a file system of type %#x", kind)}, nil
	}
}

// refuseRemote returns store.ErrInvalid for a directory on a remote file system.
func refuseRemote(dir string, statfs func(string, *unix.Statfs_t) error) error {
	f, err := fileSystemOf(dir, statfs)
	if err != nil || !f.Remote {
		return err
	}
	return fmt.Errorf("%s is on %s, where locks and memory maps cannot be trusted; use a local disk, "+
		"or --allow-remote of tuned serve and tuned run, which promises nothing: %w", dir, f.Name, store.ErrInvalid)
}
