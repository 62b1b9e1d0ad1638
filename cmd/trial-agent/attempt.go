package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tuned-hpo/tuned/internal/failpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/checkpoint"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	reapTick  = 100 * time.Millisecond // between looks at processes that were told to end
	treeLimit = 15 * time.Second       // until processes that survive KILL are given up
	pipeLimit = 5 * time.Second        // until output that has no end is given up
	exitTries = 60                     // one a second, to write the result
)

// now reads the clock; what is stored is UTC.
func now() time.Time { return time.Now().UTC() }

// attempt is the one run of the command. Its methods are called by the main goroutine alone.
type attempt struct {
	root     *os.Root
	dir      string
	spec     *trialdir.Spec
	term     <-chan os.Signal
	notes    *notes
	children *children
	log      *boundedLog
	spool    *trialdir.Spool
	metrics  *collection
	report   *reporter
	oom      oomCounter
	census   *census

	main    *child
	helper  *child // of the Custom collector; nil without
	started time.Time

	cause    cause     // why the command was stopped; zero while it was not
	killFrom time.Time // when TERM turns into KILL; zero while the command may run
	killed   time.Time // when the first KILL was sent
}

// cause is why the agent stopped the command.
type cause struct{ reason, message string }

func newAttempt(root *os.Root, dir string, spec *trialdir.Spec, self trialdir.Process, term <-chan os.Signal) (*attempt, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	a := &attempt{root: root, dir: dir, spec: spec, term: term, notes: newNotes(os.Stderr), oom: newOOMCounter()}
	if a.children, err = newChildren(); err != nil {
		return nil, err
	}
	if a.spool, err = trialdir.CreateSpool(root); err != nil {
		return nil, err
	}
	if a.log, err = createLog(root, spec.LogBytes); err != nil {
		return nil, err
	}
	if a.metrics, err = newCollection(spec, a.spool, a.notes); err != nil {
		return nil, err
	}
	if err := a.metrics.follow(root, dir); err != nil {
		return nil, err
	}
	a.census = newCensus(root, self, a.notes)
	a.report = newReporter(spec, a.spool, a.notes)
	a.metrics.appended = a.report.wake
	return a, writeParams(root, spec.Parameters)
}

// run starts the command, sees it to its end and leaves the result.
func (a *attempt) run() error {
	a.started = now()
	if err := a.prepare(); err != nil {
		return a.finish(a.notPrepared(err))
	}
	out, err := a.start()
	if err != nil {
		return a.finish(trialdir.Exit{Code: -1, Reason: "CannotStart", Message: a.cannotStart(err)})
	}
	failpoint.Hit("agent.command")
	a.census.begin()
	a.metrics.begin()
	a.report.begin()
	a.watch()
	a.children.endHelper(a.helper)
	a.census.end()
	if !out.wait(pipeLimit) {
		a.notes.add("the command's output is held open by a process that cannot be killed; the rest of it is given up")
	}
	a.metrics.end()
	exit := a.verdict()
	a.report.end()
	return a.finish(exit)
}

// prepare makes the checkpoint directory.
func (a *attempt) prepare() error {
	c := a.spec.Checkpoint
	if c.Dir == "" {
		return nil
	}
	skipped, err := checkpoint.Prepare(c.Dir, c.Parent, func() bool { return len(a.term) > 0 })
	for _, path := range skipped {
		a.notes.add("%s of the parent's checkpoint is no file, directory or link, and is left out", path)
	}
	return err
}

// notPrepared is the result of an attempt whose command was not started.
func (a *attempt) notPrepared(err error) trialdir.Exit {
	if errors.Is(err, checkpoint.ErrStopped) {
		return trialdir.Exit{Code: -1, Reason: trialdir.ReasonStopped, Message: "it was told to stop before the command was started"}
	}
	return trialdir.Exit{Code: -1, Reason: "CannotStart", Message: printable(err.Error())}
}

// start starts the command and the collector's own command, if it has one.
func (a *attempt) start() (*output, error) {
	out := newOutput(a.log, a.metrics.printed)
	env := environment(a.spec, a.dir)
	var err error
	if a.main, err = a.children.start(&a.spec.Command, env, out); err != nil {
		out.abandon()
		return nil, err
	}
	if c := a.spec.Collector.Command; c != nil {
		// What the collector prints is for us alone; what it complains about belongs into the log.
		own := newOutput(a.log, a.metrics.line)
		if a.helper, err = a.children.start(c, env, own); err != nil {
			own.abandon()
			a.notes.add("the collector's command cannot start: %v", err)
			return out, nil
		}
		out.also(own)
	}
	return out, nil
}

// watch returns when the command and all that descends from it has ended.
func (a *attempt) watch() {
	wall := limit(a.spec.Wall)
	progress := limit(a.progressLimit())
	kill := limit(0)
	tick := limit(0)
	for {
		if a.main.ended || a.overdue() {
			if a.settled() {
				return
			}
			tick.Reset(reapTick)
		}
		select {
		case <-a.children.died:
			a.children.reap()
		case <-tick.C:
		case <-kill.C:
		case <-a.term:
			a.stop(trialdir.ReasonStopped, "it was told to stop", kill)
		case <-a.report.superseded:
			a.stop("Superseded", "the daemon has started this trial anew, or has ended it", kill)
		case <-wall.C:
			a.stop("TimedOut", fmt.Sprintf("it ran longer than its limit of %s", a.spec.Wall), kill)
		case <-a.metrics.fresh:
			if d := a.progressLimit(); d > 0 {
				progress.Reset(d)
			}
		case <-progress.C:
			a.stop("NoProgress", a.silence(), kill)
		}
	}
}

// stop asks the command to end, once: the first cause counts.
func (a *attempt) stop(reason, message string, kill *time.Timer) {
	if !a.killFrom.IsZero() || a.main.ended {
		return
	}
	a.cause = cause{reason, message}
	a.killFrom = time.Now().Add(a.spec.Grace)
	kill.Reset(a.spec.Grace)
	a.notes.add("%s: TERM now, KILL after %s", message, a.spec.Grace)
	if err := a.children.terminate(a.main, a.helper); err != nil {
		a.notes.add("stop the command: %v", err)
	}
}

// overdue reports whether the time between TERM and KILL is over.
func (a *attempt) overdue() bool {
	return !a.killFrom.IsZero() && !time.Now().Before(a.killFrom)
}

// settled ends what still runs once its time is over, and reports whether nothing does. A command
// that ended by itself leaves its descendants no time; one that was stopped leaves them the grace.
func (a *attempt) settled() bool {
	if a.children.none(a.helper) {
		return true
	}
	if !a.killFrom.IsZero() && !a.overdue() {
		return false
	}
	left := a.children.kill(a.main, a.helper)
	if left == 0 {
		return true
	}
	if a.killed.IsZero() {
		a.killed = time.Now()
	}
	if time.Since(a.killed) > treeLimit {
		a.notes.add("%d processes survive KILL and are given up", left)
		return true
	}
	return false
}

// progressLimit is 0 for a command that may push its measurements past the agent.
func (a *attempt) progressLimit() time.Duration {
	if a.metrics.blind.Load() {
		return 0
	}
	return a.spec.Progress
}

// silence is the evidence for a lack of progress.
func (a *attempt) silence() string {
	last := a.spool.Last()
	if last == 0 {
		return fmt.Sprintf("it gave no measurement at all within %s", a.spec.Progress)
	}
	return fmt.Sprintf("it gave no measurement for %s, after %d before", a.spec.Progress, last)
}

// finish leaves the result; it is the agent's last act.
func (a *attempt) finish(exit trialdir.Exit) error {
	exit.Started, exit.Finished, exit.LastSeq = a.started, now(), a.spool.Last()
	if err := a.log.Close(); err != nil {
		a.notes.add("close log: %v", err)
	}
	err := failpoint.Err("agent.exit")
	if err == nil {
		err = trialdir.Write(a.root, trialdir.ExitFile, exit, true)
	}
	for range exitTries {
		if err == nil {
			break
		}
		// Without its result the trial would count as lost and run anew; a full disk may pass.
		a.notes.add("%v; trying again", err)
		<-time.After(time.Second)
		err = trialdir.Write(a.root, trialdir.ExitFile, exit, true)
	}
	failpoint.Hit("agent.exited")
	return errors.Join(err, a.spool.Close())
}

// limit returns a timer that fires after d, or never when d is 0.
func limit(d time.Duration) *time.Timer {
	const never = 1<<63 - 1
	if d == 0 {
		d = never
	}
	return time.NewTimer(d)
}
