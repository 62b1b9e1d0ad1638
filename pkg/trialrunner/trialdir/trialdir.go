// Package trialdir is the folder of one attempt of one trial on one machine: what the runner
// writes for the agent, and what the agent leaves for the runner. The agent's lock says whether
// it lives; its record says that the command was, or was about to be, started.
package trialdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The files of the folder.
const (
	SpecFile   = "spec.json"   // Spec, by the runner, mode 0600
	AgentFile  = "agent.json"  // Process, by the agent, durable before the command starts
	ExitFile   = "exit.json"   // Exit, durable: the agent's last act, or by who found that it had died
	LockFile   = "lock"        // locked while the agent lives
	SpoolFile  = "spool"       // measurements, see Spool
	ReportFile = "reports"     // what the command reports itself, a line of JSON for each value
	ParamsFile = "params.json" // parameters for the command
	LogFile    = "log"         // what the command printed, bounded
	AgentLog   = "agent.log"   // what the agent has to say
	// ProcessesFile lists the processes below the agent ([]Process) as it last saw them. It serves
	// those who end what a dead agent has left.
	ProcessesFile = "processes.json"
)

// ExitLocked is the agent's exit code when another agent serves the same folder.
const ExitLocked = 75

// Spec is all that the agent needs to know.
type Spec struct {
	Namespace  string `json:"namespace"`
	Experiment string `json:"experiment"`
	UID        string `json:"uid"`
	Trial      string `json:"trial"`
	Attempt    int    `json:"attempt"`

	Address string `json:"address"` // of the daemon: unix:PATH or host:port
	Token   string `json:"token"`

	Command    Command     `json:"command"`
	Parameters []Parameter `json:"parameters,omitempty"`
	Metrics    []string    `json:"metrics"` // the objective first
	Collector  Collector   `json:"collector"`
	Checkpoint Checkpoint  `json:"checkpoint,omitzero"`

	Wall     time.Duration `json:"wall,omitempty"`     // 0: no limit
	Progress time.Duration `json:"progress,omitempty"` // 0: no limit
	Grace    time.Duration `json:"grace"`              // between TERM and KILL
	LogBytes int64         `json:"logBytes,omitempty"` // of the log's head and tail, each; 0 means 1 MiB

	CPUs int      `json:"cpus,omitempty"` // slots taken
	GPUs []string `json:"gpus,omitempty"` // ids of the GPUs assigned

	Retries int `json:"retries,omitempty"` // failed attempts of the trial that are followed by another
}

// Command is a program to run. Argv is passed on as it is.
type Command struct {
	Path string   `json:"path"` // absolute
	Argv []string `json:"argv"`
	Dir  string   `json:"dir"`
	Env  []string `json:"env,omitempty"` // NAME=VALUE; the whole environment but for what the agent adds
}

// Checkpoint says where the command keeps what it goes on from.
type Checkpoint struct {
	Dir    string `json:"dir"`              // absolute; the agent makes it
	Parent string `json:"parent,omitempty"` // absolute, of which it is a copy; "" for none
}

// Parameter is one parameter's name and the text of its value.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Collector says where the measurements come from.
type Collector struct {
	Kind    string   `json:"kind"`              // as in Katib: StdOut, File, TensorFlowEvent, PrometheusMetric, Custom, Push, None
	Path    string   `json:"path,omitempty"`    // of File and TensorFlowEvent, absolute
	Format  string   `json:"format,omitempty"`  // of File: TEXT or JSON
	Filters []string `json:"filters,omitempty"` // regular expressions; none means the built-in recognition
	URL     string   `json:"url,omitempty"`     // of PrometheusMetric
	Command *Command `json:"command,omitempty"` // of Custom
}

// Exit is how the command ended. Reason and the other texts are those of trialrunner.Exit.
type Exit struct {
	Code     int       `json:"code"`
	Signal   string    `json:"signal,omitempty"`
	Reason   string    `json:"reason"`
	Message  string    `json:"message,omitempty"`
	Near     string    `json:"near,omitempty"`
	LastSeq  uint64    `json:"lastSeq"`
	Started  time.Time `json:"started,omitzero"`
	Finished time.Time `json:"finished"`
}

// Values of Exit.Reason that the runner gives too.
const (
	ReasonLost    = "Lost"    // the command's agent died
	ReasonStopped = "Stopped" // somebody asked for its end
)

// Exists reports whether the folder has the file.
func Exists(root *os.Root, name string) (bool, error) {
	_, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Read reads a JSON file of the folder into v. A file that does not exist is fs.ErrNotExist.
func Read(root *os.Root, name string, v any) error {
	file, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("read trial folder: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Write replaces a file of the folder by v as JSON, in one step. With durable it outlives a loss of
// power once Write has returned.
func Write(root *os.Root, name string, v any, durable bool) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	draft := fmt.Sprintf("%s.%d.new", name, os.Getpid())
	if err := writeDraft(root, draft, text, durable); err != nil {
		return fmt.Errorf("write %s: %w", name, errors.Join(err, root.Remove(draft)))
	}
	if err := root.Rename(draft, name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if !durable {
		return nil
	}
	return syncFolder(root)
}

func writeDraft(root *os.Root, draft string, text []byte, durable bool) error {
	file, err := root.OpenFile(draft, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(text); err == nil && durable {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func syncFolder(root *os.Root) error {
	folder, err := root.Open(".")
	if err != nil {
		return fmt.Errorf("sync trial folder: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("sync trial folder: %w", err)
	}
	return nil
}

// ErrLocked says that an agent serves the folder already.
var ErrLocked = errors.New("another agent serves this trial")

// Lock makes this process the folder's agent until the returned file is closed or the process
// ends, however it ends. An open file description lock can be asked for without being taken, so
// that a runner that looks never disturbs an agent that starts.
func Lock(root *os.Root) (*os.File, error) {
	file, err := root.OpenFile(LockFile, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock trial folder: %w", err)
	}
	lock := wholeFile()
	err = unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
	if err == nil {
		return file, nil
	}
	file.Close()
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("lock trial folder: %w", err)
}

// Locked reports whether an agent lives that serves the folder.
func Locked(root *os.Root) (bool, error) {
	file, err := root.OpenFile(LockFile, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the agent's lock: %w", err)
	}
	defer file.Close()
	lock := wholeFile()
	if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("look at the agent's lock: %w", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}

func wholeFile() unix.Flock_t {
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
}
