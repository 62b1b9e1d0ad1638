// Package trialrunner starts, stops and lists the workloads of trials. What a workload is
// depends on the implementation: a local process, a Kubernetes Job, any custom resource.
package trialrunner

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// ErrUnsupported says that this runner can never run the given workload; the message names the
// field and what to do. Starting it again cannot help.
var ErrUnsupported = errors.New("not supported by this runner")

// ErrBusy says that all slots are taken; Changed yields when it is worth trying again.
var ErrBusy = errors.New("no free slot")

// Spec is all that a runner needs to start one attempt of one trial.
type Spec struct {
	Experiment experiment.Key
	UID        string // of the experiment; tells apart two experiments of the same name over time
	Trial      string // name, unique in the namespace
	Attempt    int    // counts from 1
	Assignment searchspace.Assignment
	Objective  string   // metric name
	Metrics    []string // all metric names, the objective first
	Collector  experiment.MetricsCollectorSpec
	Template   map[string]any   // the rendered workload object; nil when Command is set
	Container  string           // primary container of Template
	Command    []string         // argv that replaces a template
	Local      experiment.Local // how it runs as a process of this machine; other runners ignore it
	Limits     Limits
	Checkpoint Checkpoint
}

// Checkpoint says where a trial goes on from, and where it leaves what a later one may go on from.
//
// Each trial has a directory of its own, the same for all of its attempts, whose path the command finds in
// the environment variable TUNED_CHECKPOINT_DIR. Before the first attempt starts, and only then, it is made:
// a copy of the parent's, which is there whole or not at all, or an empty one. Purge deletes it.
type Checkpoint struct {
	Parent string // name of the trial whose directory is copied; "" for none
	Path   string // at which the template expects the directory, clean and absolute; "" for none
	Folder string // absolute, that holds the directories of all trials; "" for one of the runner's own
}

// Limits bounds one trial. Zero means no limit.
type Limits struct {
	Wall     time.Duration // from start to end
	Progress time.Duration // since the last new measurement
	Grace    time.Duration // between TERM and KILL; 0 means 10 s
	CPUs     int           // CPU slots the trial takes
	GPUs     int           // GPU slots the trial takes
}

// Phase is where a workload stands.
type Phase uint8

// The phases of a workload, in order.
const (
	Running Phase = iota + 1 // started, or about to
	Exited                   // Exit says how; it will not run again
	Lost                     // was started, is gone, and left no result
)

// Workload is one attempt of one trial, as the runner sees it now.
type Workload struct {
	Trial    string
	Attempt  int
	Phase    Phase
	Started  time.Time // zero when not known
	Finished time.Time // zero while running
	LastSeq  uint64    // of the last measurement collected; final once Exited
	Exit     Exit
	// Retries is how many failed attempts of the trial are followed by another, as its template wants it. A
	// platform that starts a workload again by itself does not count here.
	Retries int
}

// ReasonStopped is the Exit.Reason of a workload that ended because Stop was called.
const ReasonStopped = "Stopped"

// Exit is how a workload ended.
type Exit struct {
	Code    int    // exit code; -1 when ended by a signal or never started
	Signal  string // "killed", "terminated", ...; "" when it exited by itself
	Reason  string // CamelCase: Completed, ExitCode, Signal, OutOfMemory, TimedOut, NoProgress, Stopped, CannotStart, Lost
	Message string // for a person: what happened, the evidence, what to do
	// Near says, when the objective never appeared, which lines came close and which filter
	// would have matched them; "" otherwise.
	Near string
}

// Crashed reports whether the command failed by itself: by its exit code, or by a signal that nobody meant.
func (w Workload) Crashed() bool {
	return w.Phase == Exited && slices.Contains([]string{"ExitCode", "Signal", "OutOfMemory"}, w.Exit.Reason)
}

// Runner runs the workloads of one daemon. Methods may be called concurrently.
type Runner interface {
	// Start starts a workload unless this attempt of this trial was started before, in this or
	// an earlier life of the daemon: then it does nothing. ErrBusy when there is no room now;
	// ErrUnsupported when it never can; any other error may be tried again.
	//
	// Room is shared fairly. An experiment that met ErrBusy waits, until it starts something or
	// leaves: what becomes free is kept for the one of them that has the fewest workloads, and of
	// several such for the one that waits longest. What others may take is what that one does not need.
	Start(ctx context.Context, spec Spec) error

	// Leave says that an experiment no longer waits for room.
	Leave(key experiment.Key)

	// Stop asks the workload to end: TERM, grace, KILL, for all of its processes. It returns at
	// once; List tells when it is done. A workload that is unknown or gone is no error.
	Stop(ctx context.Context, key experiment.Key, trial string, attempt int) error

	// List returns the truth about all workloads of an experiment, ended ones included until
	// they are removed.
	List(ctx context.Context, key experiment.Key) ([]Workload, error)

	// Leftover returns the measurements that a workload collected and that come after seq
	// `after`, for an agent that ended before it could deliver them.
	Leftover(ctx context.Context, key experiment.Key, trial string, attempt int, after uint64) ([]experiment.Measurement, error)

	// Remove forgets an ended workload. Its log is kept. Unknown is no error.
	Remove(ctx context.Context, key experiment.Key, trial string, attempt int) error

	// Log returns what the command of an attempt has printed: the last tail bytes, or all when tail is
	// not positive. With follow, reading it goes on until the workload has ended or ctx ends. Of output
	// that is too long the middle is missing. fs.ErrNotExist: nothing was printed. The caller closes it.
	Log(ctx context.Context, key experiment.Key, trial string, attempt int, tail int64, follow bool) (io.ReadCloser, error)

	// Purge deletes all that is left of an experiment of which no workload is listed, its logs too.
	// Nothing left is no error.
	Purge(ctx context.Context, key experiment.Key) error

	// Changed yields the key of an experiment whose workloads may have changed. It carries no
	// other information: look with List.
	Changed() <-chan experiment.Key

	// Close releases resources and leaves workloads running.
	Close() error
}
