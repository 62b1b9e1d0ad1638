package badger

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// Usage returns the space that the store's files take, without the ballast, and the space that is left
// on their disk, in bytes.
func (s *Store) Usage() (used, free uint64, err error) {
	err = filepath.WalkDir(s.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != ballastName {
			used, err = addSize(used, entry)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // compaction removes files meanwhile
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("look at the size of store %s: %w", s.dir, err)
	}
	free, err = freeSpace(s.dir)
	return used, free, err
}

// addSize adds what a file takes, which is less than its length where it has holes.
func addSize(used uint64, entry fs.DirEntry) (uint64, error) {
	info, err := entry.Info()
	if err != nil {
		return used, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		used += uint64(stat.Blocks) * 512
	}
	return used, nil
}
