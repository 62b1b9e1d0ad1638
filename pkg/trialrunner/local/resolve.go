package local

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// Process is what runs for a trial. Env holds only what the template adds to the environment.
type Process struct {
	Command   trialdir.Command
	Collector trialdir.Collector
	Deadline  time.Duration // from start to end, by the template; 0 for none
	Retries   int           // failed attempts that are followed by another, by the template
}

// unsupported makes an error that starting again cannot help.
func unsupported(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), trialrunner.ErrUnsupported)
}

// Resolve finds out what runs on this machine for a trial: its command, or that of the primary
// container of its template. It looks at the file system and changes nothing, so that it can be
// asked before anything starts. Its errors are trialrunner.ErrUnsupported.
//
// A container's image has no meaning here. Local.Images may map it to a command, which then stands
// in for the program of the container: for the leading words of its command, up to the first that
// begins with "-" (the options of Python itself apart), ends in the value of a parameter or holds that path; the
// other words and the args stay. Words and variables that hold the path at which the template expects its
// checkpoint directory keep it: Start puts the trial's own in its place. Without a mapping the container's command runs as written, if its
// program, and each file that its leading words name by absolute path, exists here. Other containers
// of the template do not run.
func Resolve(spec trialrunner.Spec) (Process, error) {
	dir, err := workingDir(spec.Local.Dir)
	if err != nil {
		return Process{}, err
	}
	command := trialdir.Command{Argv: spec.Command, Dir: dir}
	var limit time.Duration
	var again int
	if len(spec.Command) == 0 {
		c, err := primary(spec)
		if err != nil {
			return Process{}, err
		}
		if command, err = c.command(spec, dir); err != nil {
			return Process{}, err
		}
		if limit, err = deadline(spec.Template); err != nil {
			return Process{}, err
		}
		if again, err = retries(spec.Template); err != nil {
			return Process{}, err
		}
	} else if command.Path, err = program(command.Argv[0], dir); err != nil {
		return Process{}, unsupported("command: %v", err)
	}
	for i, word := range command.Argv {
		if strings.IndexByte(word, 0) >= 0 {
			return Process{}, unsupported("command: word %d holds a NUL byte, which no program can be given", i)
		}
	}
	if err := checkCheckpoint(spec.Checkpoint); err != nil {
		return Process{}, err
	}
	from, err := collectorOf(spec, command.Dir)
	return Process{Command: command, Collector: from, Deadline: limit, Retries: again}, err
}

// workingDir returns the absolute path of the folder that commands run in.
func workingDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", unsupported("working directory: %v", err)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", unsupported("working directory: %s is not a folder", dir)
	}
	return dir, nil
}

// program returns the absolute path of a program, as a shell in the folder would find it.
func program(name, dir string) (string, error) {
	if name == "" {
		return "", errors.New("the program's name is empty")
	}
	path := name
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		path = filepath.Join(dir, name)
	}
	found, err := exec.LookPath(path)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no program %q", name)
	case err != nil:
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	return filepath.Abs(found)
}

// collectorOf says where the measurements come from.
func collectorOf(spec trialrunner.Spec, dir string) (trialdir.Collector, error) {
	out := trialdir.Collector{Kind: string(experiment.StdOut)}
	m := spec.Collector
	if m.Collector != nil && m.Collector.Kind != "" {
		out.Kind = string(m.Collector.Kind)
	}
	source := m.Source
	if source == nil {
		source = &experiment.MetricsSource{}
	}
	if source.Filter != nil {
		out.Filters = source.Filter.MetricsFormat
	}
	var err error
	switch experiment.CollectorKind(out.Kind) {
	case experiment.File, experiment.TensorFlowEvent:
		if source.FileSystemPath == nil || source.FileSystemPath.Path == "" {
			return out, unsupported("spec.metricsCollectorSpec.source.fileSystemPath.path: %s needs a path", out.Kind)
		}
		out.Path, out.Format = source.FileSystemPath.Path, source.FileSystemPath.Format
		if !filepath.IsAbs(out.Path) {
			out.Path = filepath.Join(dir, out.Path)
		}
	case experiment.PrometheusMetric:
		out.URL, err = pageURL(source.HTTPGet)
	case experiment.Custom:
		out.Command, err = customCommand(spec, dir)
	}
	return out, err
}

// pageURL is where the training shows its metrics: always on this machine.
func pageURL(from *experiment.HTTPGet) (string, error) {
	const field = "spec.metricsCollectorSpec.source.httpGet"
	if from == nil {
		return "", unsupported("%s: PrometheusMetric needs path and port", field)
	}
	var port float64
	switch p := from.Port.(type) {
	case float64:
		port = p
	case int:
		port = float64(p)
	case string:
		number, err := strconv.Atoi(p)
		if err != nil {
			return "", unsupported("%s.port: %q: a port is a number here, there is no pod to look its name up in", field, p)
		}
		port = float64(number)
	}
	if port < 1 || port > math.MaxUint16 || port != math.Trunc(port) {
		return "", unsupported("%s.port: want a number from 1 to 65535, got %v", field, from.Port)
	}
	return fmt.Sprintf("http://127.0.0.1:%d/%s", int(port), strings.TrimPrefix(from.Path, "/")), nil
}

// customCommand is the command of the experiment's own collector, which runs beside the training.
func customCommand(spec trialrunner.Spec, dir string) (*trialdir.Command, error) {
	c := container{object: spec.Collector.Collector.CustomCollector, path: "spec.metricsCollectorSpec.collector.customCollector"}
	command, err := c.command(spec, dir)
	if err != nil {
		return nil, err
	}
	return &command, nil
}
