package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// pipeSize is what a connection within this process holds in bytes.
const pipeSize = 1 << 20

// ownLimits are those of a server that this process alone calls: it may import what its memory holds.
var ownLimits = server.Limits{Import: server.ImportLimits{Trials: math.MaxInt, Bytes: math.MaxInt64, Time: math.MaxInt64}}

// serveInside answers from a store that no daemon has, by the same server in this process. Nothing is
// driven, so that nothing changes but what an import adds. It closes the store at the end.
func (d dataDir) serveInside(s interface {
	store.Store
	Close() error
},
) (*client, error) {
	t, err := tuner.New(tuner.Config{
		Store: s, Runner: resting{dir: d}, Algorithms: builtin.Registry(), Pruners: builtin.Pruners(), Now: time.Now, Log: zerolog.Nop(),
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	token := rand.Text()
	served := server.New(server.Config{
		Tuner: t, Trial: func(string) (tuner.Reporter, bool) { return tuner.Reporter{}, false }, UserToken: token,
		Algorithms: builtin.Registry(), Version: version, Now: time.Now, Log: zerolog.Nop(), Limits: ownLimits,
	})
	listener := bufconn.Listen(pipeSize)
	ended := make(chan error, 1)
	go func() { ended <- served.Serve(listener) }()
	c, err := connect("passthrough:///inside", refused{address: string(d)}, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
		defer cancel()
		return errors.Join(served.Shutdown(ctx), <-ended, s.Close())
	}
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	hangUp := c.close
	c.daemon, c.dataDir = false, string(d)
	c.close = func() error { return errors.Join(hangUp(), stop()) }
	return c, nil
}

// resting is the runner of a data directory at rest: it runs nothing, and has the logs of what ran.
type resting struct {
	trialrunner.Runner
	dir dataDir
}

// Changed never yields.
func (resting) Changed() <-chan experiment.Key { return nil }

// Log returns the end of a log, or all of it.
func (r resting) Log(_ context.Context, key experiment.Key, trial string, attempt int, tail int64, _ bool) (io.ReadCloser, error) {
	root, err := os.OpenRoot(r.dir.trials())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	file, err := root.Open(filepath.Join(key.Namespace, key.Name, trial, strconv.Itoa(attempt), trialdir.LogFile))
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && tail > 0 && tail < info.Size() {
		_, err = file.Seek(-tail, io.SeekEnd)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
	}
	return file, nil
}
