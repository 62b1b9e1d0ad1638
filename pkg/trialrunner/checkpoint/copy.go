package checkpoint

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/internal/failpoint"
)

// ErrStopped says that a copy was given up because it was to stop.
var ErrStopped = errors.New("stopped")

// copier copies one directory into another one, which is empty. It reaches nothing outside of the two.
type copier struct {
	from, to *os.Root
	paths    []string // by which links may name the directory that is copied
	stopped  func() bool
	folders  []folder
	skipped  []string
}

// folder is a directory whose time and rights are set when all is in it.
type folder struct {
	path string
	info fs.FileInfo
}

// copyTree copies what is in a directory, and makes it durable.
func copyTree(to *os.Root, from string, stopped func() bool) (skipped []string, err error) {
	c := &copier{to: to, stopped: stopped, paths: []string{from}}
	if direct, err := filepath.EvalSymlinks(from); err == nil && direct != from {
		c.paths = append(c.paths, direct)
	}
	if c.from, err = os.OpenRoot(from); err != nil {
		return nil, err
	}
	defer c.from.Close()
	if err := fs.WalkDir(c.from.FS(), ".", c.entry); err != nil {
		return nil, err
	}
	for _, f := range slices.Backward(c.folders) {
		if err := c.finish(f); err != nil {
			return nil, err
		}
	}
	return c.skipped, nil
}

// entry is a fs.WalkDirFunc.
func (c *copier) entry(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if c.stopped() {
		return ErrStopped
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		c.folders = append(c.folders, folder{path, info})
		if path == "." {
			return nil
		}
		return c.to.Mkdir(path, 0o700)
	case info.Mode().IsRegular():
		return c.file(path)
	case info.Mode()&fs.ModeSymlink != 0:
		return c.link(path)
	}
	c.skipped = append(c.skipped, path)
	return nil
}

// file copies a file with its time, by which programs find their newest checkpoint.
func (c *copier) file(path string) error {
	in, err := c.from.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // should it have become a pipe, none waits for its writer
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		c.skipped = append(c.skipped, path)
		return nil
	}
	out, err := c.to.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = c.contents(out, in)
	if err == nil {
		err = out.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	failpoint.Hit("checkpoint.file")
	return c.to.Chtimes(path, info.ModTime(), info.ModTime())
}

// contents copies in parts, between which the copy may be stopped. The kernel does the work, and shares
// blocks where the file system can.
func (c *copier) contents(out, in *os.File) error {
	const part = 64 << 20
	for {
		n, err := io.CopyN(out, in, part)
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case n < part:
			return nil
		case c.stopped():
			return ErrStopped
		}
	}
}

// link copies a link. One that names what it points to by the path of the directory that is copied
// would lead from the copy back to it, and is made relative.
func (c *copier) link(path string) error {
	target, err := c.from.Readlink(path)
	if err != nil {
		return err
	}
	for _, dir := range c.paths {
		inside, ok := strings.CutPrefix(target, dir+"/")
		if !ok || !filepath.IsLocal(inside) {
			continue
		}
		if target, err = filepath.Rel(filepath.Dir(path), inside); err != nil {
			return err
		}
		break
	}
	return c.to.Symlink(target, path)
}

// finish gives a directory its rights, those of its owner kept, and its time.
func (c *copier) finish(f folder) error {
	open, err := c.to.Open(f.path)
	if err != nil {
		return err
	}
	err = errors.Join(open.Chmod(f.info.Mode().Perm()|0o700), open.Sync(), open.Close())
	if err != nil || f.path == "." {
		return err
	}
	return c.to.Chtimes(f.path, f.info.ModTime(), f.info.ModTime())
}
