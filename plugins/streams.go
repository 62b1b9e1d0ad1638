package plugins

import (
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// Suggest is the life of one Suggester.
func (s *service) Suggest(stream grpc.BidiStreamingServer[pluginv1.SuggestRequest, pluginv1.SuggestResponse]) (err error) {
	defer contain(&err)
	suggester, err := s.open(stream)
	if err != nil {
		return err
	}
	opened := &pluginv1.SuggestResponse_Opened{Opened: &pluginv1.Opened{}}
	if err := stream.Send(&pluginv1.SuggestResponse{Response: opened}); err != nil {
		return err
	}
	var pending []algorithms.Trial
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch r := request.GetRequest().(type) {
		case *pluginv1.SuggestRequest_Tell:
			suggester.Tell(readTrials(nil, r.Tell.GetTrials()))
		case *pluginv1.SuggestRequest_Pending:
			pending = readTrials(pending, r.Pending.GetTrials())
		case *pluginv1.SuggestRequest_Ask:
			answer, err := ask(suggester, r.Ask.GetIds(), pending)
			if err != nil {
				return err
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
			pending = nil
		default:
			return status.Error(codes.InvalidArgument, "a request of an open stream must be tell, pending or ask")
		}
	}
}

// open makes the Suggester of a stream.
func (s *service) open(stream grpc.BidiStreamingServer[pluginv1.SuggestRequest, pluginv1.SuggestResponse]) (algorithms.Suggester, error) {
	t, err := receiveTask(s, stream.Recv)
	if err != nil {
		return nil, err
	}
	if err := algorithms.Check(t.def, t.problem, t.values); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	suggester, err := t.def.New(t.problem, t.values)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return suggester, nil
}

// ask asks and tells apart what an algorithm may answer from its faults.
func ask(suggester algorithms.Suggester, ids []uint64, pending []algorithms.Trial) (*pluginv1.SuggestResponse, error) {
	suggestions, err := suggester.Ask(ids, pending)
	reason := pluginv1.Suggestions_REASON_UNSPECIFIED
	switch {
	case errors.Is(err, algorithms.ErrExhausted):
		reason = pluginv1.Suggestions_REASON_EXHAUSTED
	case errors.Is(err, algorithms.ErrWait):
		reason = pluginv1.Suggestions_REASON_WAIT
	case errors.Is(err, algorithms.ErrLost):
		return nil, status.Error(codes.Unavailable, err.Error())
	case err != nil:
		return nil, status.Error(codes.Internal, err.Error())
	}
	out := &pluginv1.Suggestions{Reason: reason}
	for _, s := range suggestions {
		out.Suggestions = append(out.Suggestions, &pluginv1.Suggestion{Id: s.ID, Point: s.Point, Memo: s.Memo, Parent: s.Parent})
	}
	return &pluginv1.SuggestResponse{Response: &pluginv1.SuggestResponse_Suggestions{Suggestions: out}}, nil
}

// Insight looks at trials through the model of an algorithm.
func (s *service) Insight(stream grpc.ClientStreamingServer[pluginv1.InsightRequest, pluginv1.InsightResponse]) (err error) {
	defer contain(&err)
	t, err := receiveTask(s, stream.Recv)
	switch {
	case err != nil:
		return err
	case t.def.Insight == nil:
		return status.Errorf(codes.Unimplemented, "algorithm %s has no insight", t.def.Name)
	}
	var finished []algorithms.Trial
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		tell, ok := request.GetRequest().(*pluginv1.InsightRequest_Tell)
		if !ok {
			return status.Error(codes.InvalidArgument, "what follows open must be tell")
		}
		finished = readTrials(finished, tell.Tell.GetTrials())
	}
	insight, err := t.def.Insight(t.problem, t.values, finished)
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return stream.SendAndClose(writeInsight(insight))
}

// opening is what the requests of both streams begin with.
type opening interface {
	GetPrior() *pluginv1.Prior
	GetOpen() *pluginv1.Task
}

// receiveTask takes requests up to open.
func receiveTask[R opening](s *service, receive func() (R, error)) (task, error) {
	var priors []algorithms.Prior
	for {
		request, err := receive()
		if err != nil {
			return task{}, err
		}
		prior := request.GetPrior()
		if prior == nil {
			return s.task(request.GetOpen(), priors)
		}
		n, i := len(priors), int(prior.GetIndex())
		if i < 0 || i > n || i < n-1 {
			return task{}, status.Errorf(codes.InvalidArgument, "prior %d comes after %d others", i, n)
		}
		if i == n {
			priors = append(priors, algorithms.Prior{Name: prior.GetName()})
		}
		priors[i].Trials = readTrials(priors[i].Trials, prior.GetTrials())
	}
}
