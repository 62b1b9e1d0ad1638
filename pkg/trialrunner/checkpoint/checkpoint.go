// Package checkpoint is the directory in which a trial keeps what a later one goes on from.
package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tuned-hpo/tuned/internal/failpoint"
)

// draft is added to the name of a directory that is not whole yet.
const draft = ".new"

// Prepare makes the directory of a trial unless it is there: a copy of its parent's, or an empty one
// where there is no parent or it has left none. The directory appears whole or not at all, however the
// process ends, and outlives a loss of power once Prepare has returned. One trial is prepared by one
// process at a time. The paths are absolute. The copy is given up with ErrStopped once stopped says so.
//
// Links are copied as links. What is no file, directory or link is left out: skipped names it.
func Prepare(dir, parent string, stopped func() bool) (skipped []string, err error) {
	folder, name := filepath.Split(dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	defer root.Close()
	if there, err := isDirectory(root, name); there || err != nil {
		return nil, err
	}
	if err := Remove(root, name+draft); err != nil { // of one who was killed
		return nil, err
	}
	if skipped, err = fill(root, name+draft, parent, stopped); err != nil {
		return nil, errors.Join(err, Remove(root, name+draft))
	}
	if err := root.Rename(name+draft, name); err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	failpoint.Hit("checkpoint.renamed")
	if parent == "" {
		return nil, nil // an empty one that is lost is made again
	}
	if err := syncFolder(root); err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	return skipped, nil
}

func isDirectory(root *os.Root, name string) (bool, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && !info.IsDir():
		err = fmt.Errorf("%s is there, and is no directory", filepath.Join(root.Name(), name))
	}
	if err != nil {
		return false, fmt.Errorf("look for checkpoint: %w", err)
	}
	return true, nil
}

// fill makes the directory, and a copy of the parent's in it.
func fill(root *os.Root, name, parent string, stopped func() bool) (skipped []string, err error) {
	if err := root.Mkdir(name, 0o700); err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	if parent == "" {
		return nil, nil
	}
	info, err := os.Lstat(parent)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && !info.IsDir():
		err = errors.New("it is no directory")
	}
	if err != nil {
		return nil, fmt.Errorf("copy checkpoint of %s: %w", parent, err)
	}
	to, err := root.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("make checkpoint directory: %w", err)
	}
	defer to.Close()
	if skipped, err = copyTree(to, parent, stopped); err != nil {
		return nil, fmt.Errorf("copy checkpoint of %s: %w", parent, err)
	}
	failpoint.Hit("checkpoint.copied")
	return skipped, nil
}

// Remove deletes a directory with all that is in it. Directories in it may be write-protected. One that
// is not there is no error.
func Remove(root *os.Root, name string) error {
	err := root.RemoveAll(name)
	if errors.Is(err, fs.ErrPermission) {
		err = errors.Join(unprotect(root, name), root.RemoveAll(name))
	}
	if err != nil {
		return fmt.Errorf("remove checkpoints: %w", err)
	}
	return nil
}

// unprotect lets the owner write to all directories below one.
func unprotect(root *os.Root, name string) error {
	return fs.WalkDir(root.FS(), name, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() { // its entries are not read yet
			return root.Chmod(path, 0o700)
		}
		return err
	})
}

func syncFolder(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
