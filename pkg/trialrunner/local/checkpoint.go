package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/checkpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	// checkpoints is the name of a trial's checkpoint directory in the trial's folder.
	checkpoints = "checkpoint"
	// elsewhere is a link in an experiment's folder to where the directories lie instead, by the names of
	// their trials. No trial has its name.
	elsewhere = ".checkpoints"
)

// checkpoint says where a trial has its directory, and its parent.
func (r *Runner) checkpoint(spec trialrunner.Spec) trialdir.Checkpoint {
	at := func(trial string) string {
		if folder := spec.Checkpoint.Folder; folder != "" {
			return filepath.Join(folder, spec.Experiment.Namespace, spec.Experiment.Name, trial)
		}
		return filepath.Join(r.Dir, spec.Experiment.Namespace, spec.Experiment.Name, trial, checkpoints)
	}
	out := trialdir.Checkpoint{Dir: at(spec.Trial)}
	if parent := spec.Checkpoint.Parent; parent != "" {
		out.Parent = at(parent)
	}
	return out
}

// checkCheckpoint says why a trial cannot have its directory here.
func checkCheckpoint(c trialrunner.Checkpoint) error {
	if c.Folder == "" {
		return nil
	}
	if info, err := os.Stat(c.Folder); err != nil || !info.IsDir() {
		return unsupported("spec.tuned.checkpoints: there is no folder %s on this machine", c.Folder)
	}
	return nil
}

// noteFolder leaves a link to where the directories of an experiment lie, if that is elsewhere.
func (r *Runner) noteFolder(spec trialrunner.Spec) error {
	if spec.Checkpoint.Folder == "" {
		return nil
	}
	key := spec.Experiment
	if err := r.root.MkdirAll(filepath.Join(key.Namespace, key.Name), 0o700); err != nil {
		return err
	}
	target := filepath.Join(spec.Checkpoint.Folder, key.Namespace, key.Name)
	if err := r.root.Symlink(target, filepath.Join(key.Namespace, key.Name, elsewhere)); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// folderElsewhere returns where the directories of an experiment lie if that is elsewhere, else "".
func (r *Runner) folderElsewhere(key experiment.Key) (string, error) {
	target, err := r.root.Readlink(filepath.Join(key.Namespace, key.Name, elsewhere))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return target, err
}

// removeEmpty removes the directory of a trial if there is nothing in it.
func (r *Runner) removeEmpty(key experiment.Key, trial string) error {
	folder, err := r.folderElsewhere(key)
	if err != nil {
		return err
	}
	path := filepath.Join(r.Dir, key.Namespace, key.Name, trial, checkpoints)
	if folder != "" {
		path = filepath.Join(folder, trial)
	}
	switch err := unix.Rmdir(path); {
	case err == nil, errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTEMPTY), errors.Is(err, unix.ENOTDIR):
		return nil
	default:
		return fmt.Errorf("remove %s: %w", path, err)
	}
}

// purgeElsewhere deletes the directories of an experiment's trials that lie elsewhere: those of trials that
// have a folder here, for others may use the place too.
func (r *Runner) purgeElsewhere(key experiment.Key) error {
	folder, err := r.folderElsewhere(key)
	if folder == "" || err != nil {
		return err
	}
	root, err := os.OpenRoot(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove checkpoints: %w", err)
	}
	defer root.Close()
	trials, err := fs.ReadDir(r.root.FS(), filepath.Join(key.Namespace, key.Name))
	if err != nil {
		return fmt.Errorf("remove checkpoints: %w", err)
	}
	for _, trial := range trials {
		if err := checkpoint.Remove(root, trial.Name()); err != nil {
			return err
		}
	}
	for _, path := range []string{folder, filepath.Dir(folder)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, unix.ENOTEMPTY) {
			return fmt.Errorf("remove checkpoints: %w", err)
		}
	}
	return nil
}
