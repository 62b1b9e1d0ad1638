package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// ofTrial is a request about a trial.
type ofTrial interface {
	GetNamespace() string
	GetExperiment() string
	GetTrial() string
}

func scopeOf(r ofTrial) scope {
	return scope{key: experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}, trial: r.GetTrial()}
}

// GetTrial returns one trial.
func (u *users) GetTrial(ctx context.Context, r *tunedv1.GetTrialRequest) (*tunedv1.Trial, error) {
	return u.trial(ctx, scopeOf(r))
}

// trial is a trial as it stands.
func (u *users) trial(ctx context.Context, in scope) (*tunedv1.Trial, error) {
	e, t, err := u.Tuner.LookUp(ctx, in.key, in.trial)
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return trialMessage(e, &t), nil
}

// told answers a call that yields a trial.
func (u *users) told(ctx context.Context, t *experiment.Trial, err error, in scope) (*tunedv1.Trial, error) {
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	e, err := u.Tuner.Experiment(ctx, in.key)
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return trialMessage(e, t), nil
}

// ListTrials returns a page of an experiment's trials.
func (u *users) ListTrials(ctx context.Context, r *tunedv1.ListTrialsRequest) (*tunedv1.ListTrialsResponse, error) {
	key := experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}
	list := listHash("trials", key.Namespace, key.Name, r.GetFilter(), r.GetOrderBy())
	after, some, err := begin(r.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	found, filter, err := first{after: after, some: some}.asked(r)
	if err != nil {
		return nil, err
	}
	var e *experiment.Experiment
	var page []experiment.Trial
	response := &tunedv1.ListTrialsResponse{}
	err = u.Tuner.Inspect(ctx, key, func(s *tuner.Snapshot) error {
		e = s.Experiment
		if err := filter.checkNames(&e.Spec, s.Trials); err != nil {
			return err
		}
		response.Total = found.among(s, filter)
		for i, p := range found.places {
			found.places[i].List = list
			page = append(page, s.Trials[p.At-1])
		}
		if found.behind > len(found.places) {
			response.NextPageToken = found.places[len(found.places)-1].token()
		}
		return nil
	})
	if err != nil {
		return nil, u.failure(ctx, err, scope{key: key})
	}
	fill(response, e, page, found.places)
	return response, nil
}

// asked completes what is looked for by what a request says.
func (f first) asked(r *tunedv1.ListTrialsRequest) (_ first, by filter, err error) {
	if f.size, err = pageSize(r.GetPageSize(), defaultPage, largestPage); err != nil {
		return f, nil, err
	}
	if by, err = parseFilter(r.GetFilter(), trialFields, trialStates); err != nil {
		return f, nil, err
	}
	f.order, err = parseOrder(r.GetOrderBy())
	return f, by, err
}

// fill puts trials into a page as long as it stays small enough for every client. It has one at least.
func fill(response *tunedv1.ListTrialsResponse, e *experiment.Experiment, page []experiment.Trial, places []place) {
	bytes := 0
	for i := range page {
		m := trialMessage(e, &page[i])
		if bytes += proto.Size(m); bytes > pageBytes && i > 0 {
			response.NextPageToken = places[i-1].token()
			return
		}
		response.Trials = append(response.Trials, m)
	}
}

// among finds the first trials of those that a filter lets through, and returns how many these are. Nothing
// is looked at twice: by number, a page begins where the one before ends.
func (f *first) among(s *tuner.Snapshot, filter filter) (total uint32) {
	if len(filter) == 0 && f.order == (order{field: "number"}) {
		rest := s.Trials[min(f.after.At, uint64(len(s.Trials))):]
		f.behind = len(rest)
		for i := range rest[:min(f.size, len(rest))] {
			f.places = append(f.places, place{At: rest[i].Number})
		}
		return uint32(len(s.Trials))
	}
	for i := range s.Trials {
		if t := &s.Trials[i]; filter.trial(&s.Experiment.Spec, t) {
			total++
			f.add(f.of(&s.Experiment.Spec, t))
		}
	}
	f.cut()
	return total
}

// EnqueueTrial adds a trial with given parameters.
func (u *users) EnqueueTrial(ctx context.Context, r *tunedv1.EnqueueTrialRequest) (*tunedv1.Trial, error) {
	if err := checkRequestID(r.GetRequestId()); err != nil {
		return nil, err
	}
	in := scope{key: experiment.Key{Namespace: r.GetNamespace(), Name: r.GetExperiment()}, invalid: reasonParameters}
	t, err := u.Tuner.Enqueue(ctx, in.key, pairs(r.GetAssignments()), r.GetNote(), r.GetRequestId())
	return u.told(ctx, &t, err, in)
}

func pairs(list []*tunedv1.Assignment) []experiment.Pair {
	out := make([]experiment.Pair, len(list))
	for i, a := range list {
		out[i] = experiment.Pair{Name: a.GetName(), Value: a.GetValue()}
	}
	return out
}

// StopTrial ends one trial.
func (u *users) StopTrial(ctx context.Context, r *tunedv1.StopTrialRequest) (*tunedv1.Trial, error) {
	in := scopeOf(r)
	t, err := u.Tuner.StopTrial(ctx, in.key, in.trial)
	return u.told(ctx, &t, err, in)
}

// AnnotateTrial sets the note and the tags of a trial.
func (u *users) AnnotateTrial(ctx context.Context, r *tunedv1.AnnotateTrialRequest) (*tunedv1.Trial, error) {
	in := scopeOf(r)
	if in.trial == "" {
		return nil, fail(reasonArgument, "trial: want a name or a number")
	}
	if err := u.Tuner.Annotate(ctx, in.key, in.trial, noteOf(r.Note, r)); err != nil {
		return nil, u.failure(ctx, err, in)
	}
	return u.trial(ctx, in)
}

// ListMeasurements returns a page of what a trial reported.
func (u *users) ListMeasurements(ctx context.Context, r *tunedv1.ListMeasurementsRequest) (*tunedv1.ListMeasurementsResponse, error) {
	in := scopeOf(r)
	attempt, err := attemptOf(r)
	if err != nil {
		return nil, err
	}
	list := listHash("measurements", in.key.Namespace, in.key.Name, in.trial, strconv.Itoa(attempt))
	after, _, err := begin(r.GetPageToken(), list)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r.GetPageSize(), defaultReadings, largestReadings)
	if err != nil {
		return nil, err
	}
	ms, next, err := u.Tuner.Measurements(ctx, in.key, in.trial, tuner.Mark{Attempt: cmp.Or(after.Attempt, attempt), Source: after.Text, Seq: after.At}, size)
	if err != nil {
		return nil, u.failure(ctx, err, in)
	}
	response := &tunedv1.ListMeasurementsResponse{}
	if next != (tuner.Mark{}) {
		response.NextPageToken = place{List: list, Attempt: next.Attempt, Text: next.Source, At: next.Seq}.token()
	}
	for i := range ms {
		m := &ms[i]
		response.Measurements = append(response.Measurements, &tunedv1.Measurement{
			Seq: m.Seq, Time: stamp(m.Time), Step: m.Step, Metric: m.Metric, Text: m.Text,
		})
	}
	return response, nil
}

// GetCurves returns what a trial reported, thinned out.
func (u *users) GetCurves(ctx context.Context, r *tunedv1.GetCurvesRequest) (*tunedv1.GetCurvesResponse, error) {
	most := int(r.GetMaxPoints())
	if most == 0 {
		most = defaultPoints
	}
	if most < fewestPoints || most > mostPoints {
		return nil, fail(reasonArgument, "max_points %d: want %d to %d", most, fewestPoints, mostPoints)
	}
	in := scopeOf(r)
	drawn := curves{metric: r.GetMetric(), most: most}
	for from := (tuner.Mark{}); ; {
		ms, next, err := u.Tuner.Measurements(ctx, in.key, in.trial, from, curvePart)
		if err != nil {
			return nil, u.failure(ctx, err, in)
		}
		drawn.add(ms)
		if from = next; from == (tuner.Mark{}) {
			return &tunedv1.GetCurvesResponse{Curves: drawn.messages()}, nil
		}
	}
}

// logPart is how much of a log goes into one message.
const logPart = 64 << 10 // bytes

// GetLog yields what a trial's command printed.
func (u *users) GetLog(r *tunedv1.GetLogRequest, stream grpc.ServerStreamingServer[tunedv1.GetLogResponse]) error {
	in := scopeOf(r)
	if r.GetTailBytes() < 0 {
		return fail(reasonArgument, "tail_bytes %d: want at least 0", r.GetTailBytes())
	}
	attempt, err := attemptOf(r)
	if err != nil {
		return err
	}
	ctx, cancel := u.untilClosing(stream.Context())
	defer cancel()
	if _, _, err := u.Tuner.LookUp(ctx, in.key, in.trial); err != nil {
		return u.failure(stream.Context(), err, in)
	}
	in.conflict, in.invalid, in.absent = reasonNoLog, reasonNoLog, reasonNoLog
	log, err := u.Tuner.Log(ctx, in.key, in.trial, attempt, r.GetTailBytes(), r.GetFollow())
	if err != nil {
		return u.ended(stream.Context(), err, in)
	}
	defer log.Close()
	part := make([]byte, logPart)
	for {
		n, err := log.Read(part)
		if n > 0 {
			if err := stream.Send(&tunedv1.GetLogResponse{Data: bytes.Clone(part[:n])}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return u.ended(stream.Context(), err, in)
		}
	}
}

// attemptOf returns the attempt that a request is about, 0 for the current one.
func attemptOf(r interface{ GetAttempt() int32 }) (int, error) {
	if r.GetAttempt() < 0 {
		return 0, fail(reasonArgument, "attempt %d: want at least 0", r.GetAttempt())
	}
	return int(r.GetAttempt()), nil
}

// untilClosing is a context that ends with the server, too.
func (s *Server) untilClosing(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-stop:
		}
	}()
	return ctx, func() { close(stop); cancel() }
}

// ended says why a stream is over.
func (s *Server) ended(ctx context.Context, err error, in scope) error {
	select {
	case <-s.closing:
		return errClosing
	default:
		return s.failure(ctx, err, in)
	}
}

// checkRequestID bounds what is stored with a trial.
func checkRequestID(id string) error {
	if len(id) > longestRequestID {
		return fail(reasonArgument, "request_id of %d bytes: want at most %d", len(id), longestRequestID)
	}
	return nil
}

// sortedMetrics turns final values into measurements of now, in the order of their names.
func sortedMetrics(values map[string]float64, now time.Time) []experiment.Measurement {
	var out []experiment.Measurement
	for name, v := range values {
		out = append(out, experiment.Measurement{Time: now, Metric: name, Value: v, Text: formatValue(v)})
	}
	slices.SortFunc(out, func(a, b experiment.Measurement) int { return bytes.Compare([]byte(a.Metric), []byte(b.Metric)) })
	for i := range out {
		out[i].Seq = uint64(i + 1)
	}
	return out
}
