package server_test

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// holding is a tuner that holds imports until it is let go.
type holding struct {
	server.Tuner
	begun, letGo chan struct{}
}

func (h holding) Import(ctx context.Context, x tuner.History) error {
	close(h.begun)
	select {
	case <-h.letGo:
	case <-ctx.Done():
		return ctx.Err()
	}
	return h.Tuner.Import(ctx, x)
}

func newHolding(t *testing.T) (*rig, holding) {
	t.Helper()
	h := holding{begun: make(chan struct{}), letGo: make(chan struct{})}
	r := newRigOf(t, nil, func(c *server.Config) { h.Tuner = c.Tuner; c.Tuner = h })
	return r, h
}

// TestImportWithoutItsClient: what has come as a whole is stored, though nobody waits for the answer.
func TestImportWithoutItsClient(t *testing.T) {
	r, h := newHolding(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := r.importParts(ctx, movedParts(50)); ended <- err }()
	<-h.begun
	cancel()
	if err := <-ended; status.Code(err) != codes.Canceled {
		t.Errorf("the client: got %v, want Canceled", err)
	}
	feed, err := r.tuner.Feed(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	close(h.letGo)
	<-feed // it is told of once it is complete
	if e, err := r.tuner.Experiment(t.Context(), movedKey); err != nil || !e.Status.Succeeded() {
		t.Errorf("got %+v, %v", e, err)
	}
}

// TestImportAtTheEnd: a server that ends waits for the import under way as for every call, and cuts it off then.
func TestImportAtTheEnd(t *testing.T) {
	for _, patient := range []bool{true, false} {
		r, h := newHolding(t)
		ended := make(chan error, 1)
		go func() { _, err := r.importParts(t.Context(), movedParts(50)); ended <- err }()
		<-h.begun
		ctx, cancel := context.WithCancel(t.Context())
		if patient {
			close(h.letGo)
		} else {
			cancel()
		}
		if err := r.server.Shutdown(ctx); err != nil && patient {
			t.Error(err)
		}
		cancel()
		if err := <-ended; err == nil && !patient {
			t.Error("the client got an answer to an import that was cut off")
		}
		if _, err := r.tuner.Experiment(t.Context(), movedKey); (err == nil) != patient {
			t.Errorf("patient %v: stored: %v", patient, err)
		}
	}
}
