package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// Alive returns the names of the trials whose agent runs, by experiment. dir is the Config.Dir of a
// runner; it need not be open, and nothing in it is changed. A folder that is not there has none.
func Alive(dir string) (map[experiment.Key][]string, error) {
	out := map[experiment.Key][]string{}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for workloads: %w", err)
	}
	defer root.Close()
	links, err := os.ReadDir(filepath.Join(dir, active))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for workloads: %w", err)
	}
	for _, link := range links {
		key, t, alive, err := follow(root, link.Name())
		if err != nil {
			return nil, fmt.Errorf("look for workload %s: %w", link.Name(), err)
		}
		if alive {
			out[key] = append(out[key], t.trial)
		}
	}
	return out, nil
}

// follow says whether the agent of the attempt that a link points to runs.
func follow(root *os.Root, link string) (experiment.Key, target, bool, error) {
	path, err := root.Readlink(filepath.Join(active, link))
	if err != nil {
		return experiment.Key{}, target{}, false, err
	}
	key, t, err := parseFolder(strings.TrimPrefix(path, "../"))
	if err != nil {
		return key, t, false, err
	}
	folder, err := root.OpenRoot(t.folder(key))
	if errors.Is(err, fs.ErrNotExist) {
		return key, t, false, nil // its logs were deleted
	}
	if err != nil {
		return key, t, false, err
	}
	defer folder.Close()
	locked, err := trialdir.Locked(folder)
	return key, t, locked, err
}
