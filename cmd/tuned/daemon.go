package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/internal/logline"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/metrics"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/tuner"
	"github.com/tuned-hpo/tuned/pkg/webhook"
)

// daemon is all that runs beside the command line: tuner, store, runner and server.
type daemon struct {
	dir       dataDir
	log       zerolog.Logger
	tuner     *tuner.Tuner
	server    *server.Server
	observers observers
	getenv    func(string) string // with secrets of webhooks
	shown     *certificate        // see role
	drain     time.Duration       // how long calls under way may take to be answered once the daemon ends
	ending    atomic.Bool         // it gets no requests any more
	stop      context.CancelFunc
	fail      context.CancelCauseFunc
	group     errgroup.Group
	closes    []func() error // in the order of opening
}

// role is what a daemon is for.
type role struct {
	prepare func(e *experiment.Experiment) error // of experiments that clients create, see server.Config
	also    io.Writer                            // gets the log beside the file; nil for none
	tcp     bool                                 // users come over TCP too, and need a token
	hosts   []string                             // see server.Config
	drain   time.Duration
	shown   *certificate // over TCP; nil for none
}

// startDaemon opens everything in the data directory and begins to drive and to serve. The returned
// context ends when the daemon must; its cause says why.
func (a *app) startDaemon(parent context.Context, c *config, r role) (context.Context, *daemon, error) {
	if a.getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	ctx, fail := context.WithCancelCause(parent)
	d := &daemon{dir: dataDir(c.DataDir), fail: fail, stop: func() { fail(nil) }, drain: r.drain, shown: r.shown}
	if err := d.open(ctx, a, c, r); err != nil {
		return nil, nil, errors.Join(err, d.close(ctx))
	}
	listener, err := d.listen()
	if err != nil {
		return nil, nil, errors.Join(err, d.close(ctx))
	}
	d.serve(func() error { return d.server.Serve(listener) })
	d.log.Info().Int("pid", os.Getpid()).Str("version", version).Msg("daemon started")
	driving, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = func() { stop(); fail(nil) }
	d.group.Go(func() error { giveBackMemory(driving); return nil })
	for _, run := range []func(context.Context) error{d.tuner.Run, d.observers.sender.Run} {
		d.group.Go(func() error {
			if err := run(driving); err != nil {
				fail(err)
			}
			return nil
		})
	}
	return ctx, d, nil
}

// serve serves a listener beside the others, until the daemon ends.
func (d *daemon) serve(f func() error) {
	d.group.Go(func() error {
		if err := f(); err != nil {
			d.fail(fmt.Errorf("serve agents and users: %w", err))
		}
		return nil
	})
}

// open opens store, log, runner and tuner, in this order: whoever has the store has the rest of the
// data directory.
func (d *daemon) open(ctx context.Context, a *app, c *config, r role) error {
	st, err := d.openStore(ctx, c, r)
	if err != nil {
		return err
	}
	if d.getenv, err = webhook.TakeEnvironment(); err != nil { // before a runner gives it to trials
		return err
	}
	secret, err := d.dir.secret()
	if err != nil {
		return err
	}
	runner, err := d.openRunner(a, c, secret, d.log)
	if err != nil {
		return err
	}
	d.onClose(runner.Close)
	if err := d.openTuner(ctx, a, c, st, runner); err != nil {
		return err
	}
	return d.openServer(c, r, secret, st) //nolint:contextcheck // making a server begins nothing that a context should end
}

// openTuner makes the tuner, which drives nothing yet, and those who are told of what it does.
func (d *daemon) openTuner(ctx context.Context, a *app, c *config, st *badger.Store, runner *local.Runner) error {
	observed, err := d.observe(ctx, a, c, st, runner)
	if err != nil {
		return err
	}
	d.tuner, err = tuner.New(tuner.Config{
		Store: observed, Runner: runner, Algorithms: builtin.Registry(), Pruners: builtin.Pruners(), Now: time.Now, Log: d.log, Suggested: d.observers.suggested,
		Secrets: experiment.EnvSecrets(os.Environ()),
	})
	return err
}

// openStore opens the store and the log, which is not touched before the store is ours.
func (d *daemon) openStore(ctx context.Context, c *config, r role) (*badger.Store, error) {
	if err := d.dir.create(); err != nil {
		return nil, err
	}
	level, err := zerolog.ParseLevel(c.LogLevel)
	if err != nil {
		return nil, err
	}
	file := &logFile{path: d.dir.log()}
	d.onClose(file.close)
	var to io.Writer = file
	if r.also != nil {
		to = zerolog.MultiLevelWriter(file, r.also)
	}
	lines := &logline.Limit{To: logline.Writer{To: to}}
	d.onClose(lines.Close)
	d.log = zerolog.New(lines).Level(level).With().Timestamp().Logger()
	st, err := openStore(ctx, d.dir, badger.Options{Log: d.log, OnFailure: d.fail, AllowRemote: c.AllowRemote})
	if err != nil {
		return nil, err
	}
	d.onClose(st.Close)
	return st, file.open()
}

// openServer makes the server, which serves nothing yet.
func (d *daemon) openServer(c *config, r role, secret []byte, st *badger.Store) (err error) {
	token := ""
	if r.tcp {
		if token, err = userToken(c.tokenFile()); err != nil {
			return err
		}
	}
	d.server = server.New(server.Config{
		Tuner: d.tuner, Log: d.log, UserToken: token, Hosts: r.hosts, Local: true, Prepare: r.prepare,
		Trial: func(token string) (tuner.Reporter, bool) {
			h, ok := trialrunner.HolderOf(secret, token)
			return tuner.Reporter{Experiment: h.Key(), UID: h.UID, Trial: h.Trial, Attempt: h.Attempt}, ok
		},
		Algorithms: builtin.Registry(), Options: options(false, false, c.TemplateDir), Version: version, Now: time.Now,
		Ready: d.ready, Limits: server.Limits{Connections: mostConnections()},
	})
	d.server.Handle("GET "+backupPath, giveBackup(st))
	d.giveFiles()
	d.server.Handle("GET /metrics", metrics.Handler(d.observers.registry))
	return nil
}

// mostConnections leaves a quarter of the files that the process may open to the store and to trials; 0, the default,
// where that is more.
func mostConnections() int {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil || files.Cur/4*3 >= uint64(server.DefaultLimits.Connections) {
		return 0
	}
	return int(files.Cur / 4 * 3)
}

var errEnding = errors.New("the daemon is ending")

// ready says why the daemon should get no requests.
func (d *daemon) ready() error {
	if d.ending.Load() {
		return errEnding
	}
	if err := badger.Limited(); err != nil {
		return err
	}
	var s unix.Statfs_t
	if err := unix.Statfs(d.dir.store(), &s); err != nil {
		return fmt.Errorf("look at free space: %w", err)
	}
	return room(s.Bavail * uint64(s.Bsize))
}

// room says that a disk has too little free space, in bytes, for anything to be stored.
func room(free uint64) error {
	if free < leastFree {
		return fmt.Errorf("storage is full: %d MiB are free, and %d must stay so; make room or delete experiments", free>>20, uint64(leastFree)>>20)
	}
	return nil
}

// openRunner opens the runner of local processes.
func (d *daemon) openRunner(a *app, c *config, secret []byte, log zerolog.Logger) (*local.Runner, error) {
	agent, err := findAgent(a.getenv)
	if err != nil {
		return nil, err
	}
	socket, err := d.dir.socket()
	if err != nil {
		return nil, err
	}
	return local.New(local.Config{
		Dir: d.dir.trials(), Agent: agent, Address: "unix:" + socket,
		Secret: secret, CPUs: c.slots(), GPUs: len(c.GPUs), GPUIDs: c.GPUs, Now: time.Now, Log: log,
	})
}

// listen opens the socket for agents and users. The store is ours, so that a socket that is there
// already was left behind.
func (d *daemon) listen() (net.Listener, error) {
	path, err := d.dir.socket()
	if err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove socket left behind: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func (d *daemon) onClose(f func() error) { d.closes = append(d.closes, f) }

// linger serves on for a while as a daemon that is not ready any more, so that who sends requests by that can send
// them elsewhere before the listeners close.
func (d *daemon) linger(hurry context.Context, delay time.Duration) {
	d.ending.Store(true)
	if delay == 0 {
		return
	}
	d.log.Info().Dur("delay", delay).Msg("not ready any more; requests are still served")
	ctx, cancel := context.WithTimeout(hurry, delay)
	defer cancel()
	<-ctx.Done()
}

// close stops serving and driving and gives everything up; when hurry ends, calls under way are cut at once.
// Workloads are left as they are.
func (d *daemon) close(hurry context.Context) error {
	d.ending.Store(true)
	if d.server != nil {
		d.stopServing(hurry)
		d.flushWebhooks(hurry)
	}
	d.stop()
	err := d.group.Wait()
	for i := len(d.closes) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closes[i]())
	}
	return err
}

// lastAnswers is how long calls under way may take to be answered once a run ends, such as the one whose
// result ended the experiment.
const lastAnswers = 2 * time.Second

// stopServing lets calls be answered. The streams of agents that live on would never end; they are cut.
func (d *daemon) stopServing(hurry context.Context) {
	ctx, cancel := context.WithTimeout(hurry, d.drain)
	defer cancel()
	if err := d.server.Shutdown(ctx); err != nil {
		d.log.Warn().Err(err).Msg("calls were cut off")
	}
}
