package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

const (
	curveBatch = 1000 // measurements
	curveReads = 100
)

// curve measures one trial with very many measurements: how fast they are taken in, how fast the curve is
// answered thinned out for a plot, and how much memory the daemon takes for it.
func (b *bench) curve(ctx context.Context) error {
	fmt.Fprintf(b.progress, "  one trial with %d measurements\n", b.points)
	alive, s, err := b.serve(ctx, false)
	if err != nil {
		return err
	}
	defer s.end()
	conn, user, err := s.connect(alive)
	if err != nil {
		return err
	}
	defer conn.Close()
	l, err := s.newLoad(alive, user, conn, 1, curveBatch)
	if err != nil {
		return err
	}
	defer l.close()
	before, _, err := s.memory()
	if err != nil {
		return err
	}
	r := l.reporters[0]
	took, err := r.fill(uint64(b.points))
	var reads []time.Duration
	if err == nil {
		reads, err = readCurve(user, tunedv1.NewTuningServiceClient(conn), r.trial, uint64(b.points))
	}
	if err != nil {
		return err
	}
	after, _, err := s.memory()
	if err != nil {
		return err
	}
	b.add("curve", fmt.Sprintf("one trial, %d measurements", b.points), append([]figure{
		{Figure: "taken in", Value: float64(b.points) / took.Seconds(), Unit: "observations/s"},
		mebibytes("RssAnon before", before), mebibytes("RssAnon after", after), mebibytes(growth, after-before),
	}, quantiles(reads)...)...)
	return errors.Join(s.kill(), l.compare(ctx))
}

// fill reports a number of measurements, one batch at a time.
func (r *reporter) fill(n uint64) (time.Duration, error) {
	began := time.Now()
	for r.acked < n {
		if err := r.stream.Send(batchAfter(r.acked, int(min(curveBatch, n-r.acked)), time.Now())); err != nil {
			_, err = r.stream.Recv() // it has the cause
			return 0, err
		}
		ack, err := r.stream.Recv()
		if err != nil {
			return 0, err
		}
		r.acked = ack.GetAckedSeq()
	}
	return time.Since(began), nil
}

// readCurve asks for the curve again and again, and returns how long each answer took.
func readCurve(ctx context.Context, users tunedv1.TuningServiceClient, trial string, total uint64) (took []time.Duration, err error) {
	request := &tunedv1.GetCurvesRequest{Namespace: key.Namespace, Experiment: key.Name, Trial: trial}
	for range curveReads {
		began := time.Now()
		got, err := users.GetCurves(ctx, request)
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		if c := got.GetCurves(); len(c) != 1 || c[0].GetTotal() != total || len(c[0].GetPoints()) > 1000 {
			return nil, fmt.Errorf("the curve of trial %s is not that of %d measurements", trial, total)
		}
	}
	return took, nil
}
