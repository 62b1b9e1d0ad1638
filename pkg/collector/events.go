package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Events reads scalars from the TensorFlow event files in a directory and below it.
type Events struct {
	dir     string
	metrics []string
	files   map[string]*eventFile // by path
}

type eventFile struct {
	recordFile
	exact map[string]bool // metrics for which the file has a tag of just that name
}

// NewEvents returns a collector of the named metrics from the files below dir whose name contains
// "tfevents". dir need not exist yet.
//
// A metric "loss" takes the tag "loss"; without such a tag in a file, the tags that start with it.
// A metric "train/loss" takes that tag too, and the tag "loss" in files in a folder "train", as
// Keras writes them; the last part is a start there as well.
func NewEvents(dir string, metrics []string) *Events {
	return &Events{dir: dir, metrics: unique(metrics), files: map[string]*eventFile{}}
}

// Poll returns what was written since the last call, ordered by time. A corrupt record is reported
// once, with its place; its file is not read further, the others are. A file that was replaced,
// truncated or rewritten is read from its start. Samples are returned beside an error.
func (e *Events) Poll() ([]Sample, error) {
	var samples []Sample
	var faults []error
	err := filepath.WalkDir(e.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, fmt.Errorf("look for events: %w", err))
			}
			return nil
		}
		if !entry.Type().IsRegular() || !strings.Contains(entry.Name(), "tfevents") {
			return nil
		}
		found, err := e.file(path, entry)
		samples = append(samples, found...)
		if err != nil {
			faults = append(faults, err)
		}
		return nil
	})
	slices.SortStableFunc(samples, func(a, b Sample) int { return a.Time.Compare(b.Time) })
	return samples, errors.Join(append(faults, err)...)
}

func (e *Events) file(path string, entry os.DirEntry) ([]Sample, error) {
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed since it was listed
	}
	if err != nil {
		return nil, err
	}
	f := e.files[path]
	if f == nil || f.rewritten(info) {
		f = &eventFile{recordFile: recordFile{path: path}, exact: map[string]bool{}}
		e.files[path] = f
	}
	var found []Sample
	var isExact []bool // of the same index
	dir := filepath.ToSlash(filepath.Dir(path))
	err = f.read(info, func(data []byte) {
		for _, s := range scalars(data) {
			for _, m := range e.metrics {
				match, exact := tagMatches(m, s.tag, dir)
				if !match {
					continue
				}
				f.exact[m] = f.exact[m] || exact
				found = append(found, Sample{Metric: m, Text: s.text, Time: s.time, Step: s.step})
				isExact = append(isExact, exact)
			}
		}
	})
	kept := found[:0]
	for i, s := range found {
		if isExact[i] || !f.exact[s.Metric] {
			kept = append(kept, s)
		}
	}
	return kept, err
}

// tagMatches tells whether a tag in a file of the folder dir (with forward slashes) belongs to the
// metric, and whether the names are equal or one merely starts with the other.
func tagMatches(metric, tag, dir string) (match, exact bool) {
	if tag == metric {
		return true, true
	}
	last := metric
	if i := strings.LastIndexByte(metric, '/'); i >= 0 {
		last = metric[i+1:]
		if !strings.HasSuffix("/"+dir, "/"+metric[:i]) {
			return false, false
		}
	}
	return last != "" && strings.HasPrefix(tag, last), tag == last
}
