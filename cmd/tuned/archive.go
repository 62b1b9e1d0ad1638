package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// archive answers what is stored.
type archive interface {
	List(ctx context.Context) ([]*experiment.Experiment, error)
	Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error)
	Trials(ctx context.Context, key experiment.Key) ([]experiment.Trial, error)
	Close() error
}

// place says where a command finds an experiment.
type place struct {
	dataDir   string
	namespace string
}

// flags adds the flags that say where.
func (p *place) flags(c *cobra.Command, getenv func(string) string) {
	p.dataFlag(c, getenv)
	c.Flags().StringVarP(&p.namespace, "namespace", "n", "default", "namespace of the experiment")
}

func (p *place) dataFlag(c *cobra.Command, getenv func(string) string) {
	c.Flags().StringVar(&p.dataDir, "data-dir", defaultDataDir(getenv), "folder that holds all state")
}

func (p *place) key(name string) experiment.Key {
	return experiment.Key{Namespace: p.namespace, Name: name}
}

// open returns the archive of a data directory: its daemon when one runs, else the store itself.
func (p *place) open(ctx context.Context) (archive, error) {
	d, err := p.dir()
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, d, badger.Options{ReadOnly: true})
	if errors.Is(err, store.ErrLocked) && d.served() {
		return d.dial()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// reading calls f with the archive, and again when the daemon that answered has ended meanwhile.
func (p *place) reading(ctx context.Context, f func(from archive) error) error {
	for end := time.Now().Add(patience); ; {
		from, err := p.open(ctx)
		if err != nil {
			return err
		}
		err = f(from)
		if err = errors.Join(err, from.Close()); !errors.Is(err, errEnded) || time.Now().After(end) {
			return err
		}
	}
}

const (
	// patience is how long a command waits for others that have the data directory.
	patience = 5 * time.Second
	// turn is how long it waits before it looks anew whether a daemon has come up.
	turn = 100 * time.Millisecond
)

// openStore opens the store of a data directory. It waits for other commands that have it, but not
// for a daemon: store.ErrLocked.
func openStore(ctx context.Context, d dataDir, o badger.Options) (*badger.Store, error) {
	o.Wait = turn
	turns := time.NewTicker(turn)
	defer turns.Stop()
	for end := time.Now().Add(patience); ; {
		s, err := tryStore(d, o)
		if !errors.Is(err, store.ErrLocked) {
			return s, err
		}
		if d.served() || time.Now().After(end) {
			return nil, fmt.Errorf("%w; wait for it, stop it, or give another --data-dir", err)
		}
		select {
		case <-turns.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func tryStore(d dataDir, o badger.Options) (*badger.Store, error) {
	s, err := badger.Open(d.store(), o)
	if o.ReadOnly && (errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrCorrupt)) {
		// After a daemon that was killed only a writer can put the log in order; it refuses what is
		// really damaged.
		o.ReadOnly = false
		s, err = badger.Open(d.store(), o)
	}
	return s, err
}

// get returns an experiment. The error says where else there is one of that name.
func (p *place) get(ctx context.Context, from archive, name string) (*experiment.Experiment, error) {
	e, err := from.Get(ctx, p.key(name))
	if err == nil {
		return e, nil
	}
	others, listErr := from.List(ctx)
	if listErr != nil {
		return nil, err
	}
	for _, other := range others {
		if other.Metadata.Name == name {
			return nil, fmt.Errorf("%w; there is one in namespace %s: add -n %[2]s", err, other.Metadata.Namespace)
		}
	}
	return nil, fmt.Errorf("%w; tuned list shows what there is", err)
}

// dir returns the data directory, which must exist.
func (p *place) dir() (dataDir, error) {
	if p.dataDir == "" {
		return "", usage("find data directory: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	}
	d := dataDir(absolute(p.dataDir))
	if _, err := os.Stat(d.store()); err != nil {
		return "", fmt.Errorf("open data directory %s: nothing has been run there; give the --data-dir of the run", d)
	}
	return d, nil
}

// remote is the archive of a running daemon.
type remote struct {
	tunedv1.TuningServiceClient
	conn *grpc.ClientConn
}

// dial connects to the daemon of a data directory.
func (d dataDir) dial() (*remote, error) {
	socket, err := d.socket()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", socket, err)
	}
	return &remote{tunedv1.NewTuningServiceClient(conn), conn}, nil
}

// served reports whether a daemon listens for the data directory.
func (d dataDir) served() bool {
	socket, err := d.socket()
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("unix", socket, turn)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}

// Close ends the connection.
func (r *remote) Close() error { return r.conn.Close() }

// List returns all experiments.
func (r *remote) List(ctx context.Context) ([]*experiment.Experiment, error) {
	var out []*experiment.Experiment
	for request := (&tunedv1.ListExperimentsRequest{PageSize: 1000}); ; {
		response, err := r.ListExperiments(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		for _, m := range response.GetExperiments() {
			e, err := r.Get(ctx, experiment.Key{Namespace: m.GetNamespace(), Name: m.GetName()})
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// Get returns one experiment.
func (r *remote) Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error) {
	m, err := r.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name})
	if err != nil {
		return nil, rpcError(err)
	}
	e, err := experimentOf(m)
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return e, nil
}

// Trials returns an experiment's trials by number.
func (r *remote) Trials(ctx context.Context, key experiment.Key) (out []experiment.Trial, err error) {
	request := &tunedv1.ListTrialsRequest{Namespace: key.Namespace, Experiment: key.Name, PageSize: 1000}
	for {
		response, err := r.ListTrials(ctx, request)
		if err != nil {
			return nil, rpcError(err)
		}
		for _, m := range response.GetTrials() {
			out = append(out, trialOf(m))
		}
		if request.PageToken = response.GetNextPageToken(); request.GetPageToken() == "" {
			return out, nil
		}
	}
}

// errEnded says that a daemon was there and is no more.
var errEnded = errors.New("the daemon has ended")

// rpcError is the error of a call as the daemon worded it.
func rpcError(err error) error {
	s, ok := status.FromError(err)
	switch {
	case err == nil || !ok:
		return err
	case s.Code() == codes.Unavailable: // the daemon never says so
		return fmt.Errorf("%w: %s", errEnded, s.Message())
	}
	return errors.New(s.Message())
}
