package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/exchange"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// writing connects to the daemon, or to a server in this process that has the data directory, which is made if
// there is none.
func (p *place) writing(ctx context.Context) (*client, error) {
	if address := p.address(); address != "" {
		return p.dial(address)
	}
	if p.dataDir == "" {
		return nil, usage("find data directory: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	}
	d := dataDir(absolute(p.dataDir))
	if err := d.create(); err != nil {
		return nil, err
	}
	if d.served() {
		return d.dial()
	}
	s, err := openStore(ctx, d, badger.Options{})
	if errors.Is(err, store.ErrLocked) && d.served() {
		return d.dial()
	}
	if err != nil {
		return nil, err
	}
	return d.serveInside(s) //nolint:contextcheck // making a server begins nothing that a context should end
}

// send imports a study, and returns it as it is stored. The request is named, so that it can be sent again to
// the daemon that comes after one that has ended.
func (p *place) send(ctx context.Context, s *exchange.Study) (w whole, err error) {
	request := rand.Text()
	for end := time.Now().Add(patience); ; {
		c, err := p.writing(ctx)
		if err != nil {
			return w, err
		}
		if err = c.send(ctx, s, request); err == nil {
			w, err = c.whole(ctx, s.Experiment.Key())
		}
		if err = errors.Join(err, c.Close()); !errors.Is(err, errEnded) || time.Now().After(end) {
			return w, err
		}
	}
}

// chunkBytes is what a message of an import holds; a server takes 2 MiB.
const chunkBytes = 512 << 10

// send imports a study.
func (c *client) send(ctx context.Context, s *exchange.Study, request string) error {
	stream, err := c.ImportExperiment(ctx)
	if err != nil {
		return rpcError(err)
	}
	err = chunks(s, request, stream.Send)
	if err != nil && !errors.Is(err, io.EOF) {
		return rpcError(err)
	}
	_, err = stream.CloseAndRecv()
	return rpcError(err)
}

// chunks gives a study to send as messages that are not too large, until send fails.
func chunks(s *exchange.Study, request string, send func(*tunedv1.ImportExperimentRequest) error) error {
	sent := *s.Experiment
	sent.Note = experiment.Note{}
	manifest, err := json.Marshal(&sent)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	next := &tunedv1.ImportExperimentRequest{
		Namespace: sent.Metadata.Namespace, Manifest: string(manifest), RequestId: request,
		Note: s.Experiment.Note.Text, Tags: s.Experiment.Note.Tags,
	}
	size := proto.Size(next)
	add := func(part *tunedv1.ImportedTrial) error {
		if more := proto.Size(part); len(next.GetTrials()) > 0 && size+more > chunkBytes {
			if err := send(next); err != nil {
				return err
			}
			next, size = &tunedv1.ImportExperimentRequest{}, 0
		}
		size += proto.Size(part)
		next.Trials = append(next.Trials, part)
		return nil
	}
	for i := range s.Trials {
		part := &tunedv1.ImportedTrial{Trial: importedTrial(&s.Trials[i])}
		for _, m := range s.Measured[s.Trials[i].Number] {
			if len(part.GetMeasurements()) == chunkMeasurements {
				if err := add(part); err != nil {
					return err
				}
				part = &tunedv1.ImportedTrial{}
			}
			part.Measurements = append(part.Measurements, measurementMessage(&m))
		}
		if err := add(part); err != nil {
			return err
		}
	}
	return send(next)
}

// chunkMeasurements is how many measurements of a trial a message has, of which none is long.
const chunkMeasurements = 1000

func importedTrial(t *experiment.Trial) *tunedv1.Trial {
	m := &tunedv1.Trial{
		Number: t.Number, Name: t.Name, Attempt: int32(t.Attempt), FinishNumber: t.FinishNo,
		State: string(t.State), Reason: t.Reason, Message: t.Message, Enqueued: t.Origin == experiment.Enqueued,
		Created: stamp(t.Created), Started: stamp(t.Started), Finished: stamp(t.Finished),
		Note: t.Note.Text, Tags: t.Note.Tags, Parent: t.Parent,
	}
	for _, p := range t.Assignment {
		m.Assignments = append(m.Assignments, &tunedv1.Assignment{Name: p.Name, Value: p.Value})
	}
	for _, x := range t.Observation.Metrics {
		metric := &tunedv1.Metric{Name: x.Name, Min: x.Min, Max: x.Max, Latest: x.Latest}
		if x.Value != "" {
			metric.Value = experiment.ParseValue(x.Value)
		}
		m.Metrics = append(m.Metrics, metric)
	}
	return m
}

func measurementMessage(m *experiment.Measurement) *tunedv1.Measurement {
	return &tunedv1.Measurement{Seq: m.Seq, Time: stamp(m.Time), Step: m.Step, Metric: m.Metric, Text: m.Text}
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
