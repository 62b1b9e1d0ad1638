package main

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Modes of files that are written: those that are to be passed on, and those that hold secrets.
const (
	sharedFile fs.FileMode = 0o644
	secretFile fs.FileMode = 0o600
)

// writeTo lets f write a file; "" and "-" are standard output. A regular file is there as a whole, with the mode, or
// not at all; links are followed, and devices, pipes and the like are written to.
func (a *app) writeTo(file string, mode fs.FileMode, f func(io.Writer) error) error {
	if file == "" || file == "-" {
		return buffered(a.stdout, f)
	}
	target, err := followLinks(file)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(target); {
	case err == nil && info.IsDir():
		return &fs.PathError{Op: "write", Path: file, Err: syscall.EISDIR}
	case err == nil && !info.Mode().IsRegular():
		return writeThrough(target, f)
	}
	return replaceFile(file, target, mode, f)
}

// buffered lets f write to w, and returns its first error.
func buffered(w io.Writer, f func(io.Writer) error) error {
	out := bufio.NewWriter(w)
	if err := f(out); err != nil {
		return err
	}
	return out.Flush()
}

// followLinks returns what a symbolic link leads to in the end, which need not exist; any other file is itself.
func followLinks(file string) (target string, err error) {
	const most = 40 // as Linux does
	target = file
	for range most {
		next, err := os.Readlink(target)
		if err != nil { // it is no link, or not there
			return target, nil //nolint:nilerr // it is what was looked for
		}
		if !filepath.IsAbs(next) {
			next = filepath.Dir(target) + string(filepath.Separator) + next // not cleaned: ".." of a link is where that leads
		}
		target = next
	}
	return "", &fs.PathError{Op: "write", Path: file, Err: syscall.ELOOP}
}

// writeThrough writes to what is there.
func writeThrough(file string, f func(io.Writer) error) error {
	out, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(buffered(out, f), out.Close())
}

// replaceFile writes a draft beside target, and puts it there when it is whole. Errors name the file as the user did.
func replaceFile(file, target string, mode fs.FileMode, f func(io.Writer) error) (err error) {
	next, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*")
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return &fs.PathError{Op: "write", Path: file, Err: at.Err} // nobody knows the name of the draft
	}
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(next.Name()) // the first error counts
		}
	}()
	if err := errors.Join(buffered(next, f), next.Chmod(mode), next.Sync(), next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), target)
}
