package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
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
func (p *place) open() (archive, error) {
	s, err := p.openStore(true)
	if errors.Is(err, store.ErrLocked) {
		return p.dial()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openStore opens the store of a data directory that is there. store.ErrLocked when a daemon has it.
func (p *place) openStore(readOnly bool) (*badger.Store, error) {
	d, err := p.dir()
	if err != nil {
		return nil, err
	}
	return openStore(d, badger.Options{ReadOnly: readOnly})
}

// openStore opens the store of a data directory. store.ErrLocked when another process has it.
func openStore(d dataDir, o badger.Options) (*badger.Store, error) {
	s, err := badger.Open(d.store(), o)
	if o.ReadOnly && (errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrCorrupt)) {
		// After a daemon that was killed only a writer can put the log in order; it refuses what is
		// really damaged.
		o.ReadOnly = false
		s, err = badger.Open(d.store(), o)
	}
	if errors.Is(err, store.ErrLocked) {
		err = fmt.Errorf("%w; wait for it, stop it, or give another --data-dir", err)
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
		return "", usage("find data directory: neither XDG_STATE_HOME nor HOME is set; give --data-dir")
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
func (p *place) dial() (*remote, error) {
	socket, err := dataDir(absolute(p.dataDir)).socket()
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

// Close ends the connection.
func (r *remote) Close() error { return r.conn.Close() }

// List returns all experiments.
func (r *remote) List(ctx context.Context) ([]*experiment.Experiment, error) {
	response, err := r.ListExperiments(ctx, &tunedv1.ListExperimentsRequest{})
	if err != nil {
		return nil, rpcError(err)
	}
	var out []*experiment.Experiment
	for _, text := range response.GetExperimentsJson() {
		e := &experiment.Experiment{}
		if err := json.Unmarshal(text, e); err != nil {
			return nil, fmt.Errorf("read the daemon's answer: %w", err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Get returns one experiment.
func (r *remote) Get(ctx context.Context, key experiment.Key) (*experiment.Experiment, error) {
	response, err := r.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: key.Namespace, Name: key.Name})
	if err != nil {
		return nil, rpcError(err)
	}
	e := &experiment.Experiment{}
	if err := json.Unmarshal(response.GetExperimentJson(), e); err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return e, nil
}

// Trials returns an experiment's trials by number.
func (r *remote) Trials(ctx context.Context, key experiment.Key) ([]experiment.Trial, error) {
	response, err := r.ListTrials(ctx, &tunedv1.ListTrialsRequest{Namespace: key.Namespace, Experiment: key.Name})
	if err != nil {
		return nil, rpcError(err)
	}
	out := make([]experiment.Trial, len(response.GetTrialsJson()))
	for i, text := range response.GetTrialsJson() {
		if err := json.Unmarshal(text, &out[i]); err != nil {
			return nil, fmt.Errorf("read the daemon's answer: %w", err)
		}
	}
	return out, nil
}

// rpcError is the error of a call as the daemon worded it.
func rpcError(err error) error {
	if s, ok := status.FromError(err); ok && err != nil {
		return errors.New(s.Message())
	}
	return err
}
