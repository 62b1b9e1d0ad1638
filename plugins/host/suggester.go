package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// suggester is an instance of an algorithm that lives in a plugin, at the other end of a stream.
type suggester struct {
	*caller
	problem algorithms.Problem
	stream  grpc.BidiStreamingClient[pluginv1.SuggestRequest, pluginv1.SuggestResponse]
	cancel  context.CancelFunc
	err     error // why the stream is of no use any more
}

// open makes an instance. Its stream ends with Close, or when nobody can reach the instance any more.
func (c *caller) open(d algorithms.Definition, p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) {
	task, err := writeTask(d, p, v)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &suggester{caller: c, problem: p, cancel: cancel}
	if err := s.begin(ctx, d, task); err != nil {
		cancel()
		return nil, err
	}
	runtime.AddCleanup(s, func(cancel context.CancelFunc) { cancel() }, cancel)
	return s, nil
}

func (s *suggester) begin(ctx context.Context, d algorithms.Definition, task *pluginv1.Task) error {
	err := s.within(func() (err error) {
		s.stream, err = s.client.Suggest(ctx, grpc.MaxCallRecvMsgSize(maxReply))
		return err
	})
	if err != nil {
		return s.fault(err)
	}
	sendPriors(d, s.problem, func(prior *pluginv1.Prior) bool {
		return s.send(&pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Prior{Prior: prior}})
	})
	s.send(&pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Open{Open: task}})
	reply, err := s.receive(codes.InvalidArgument)
	if err != nil {
		return err
	}
	if reply.GetOpened() == nil {
		return errors.New("the plugin is at fault: it answered open without opened")
	}
	return nil
}

// Close ends the stream, and so the instance.
func (s *suggester) Close() error {
	s.cancel()
	return nil
}

// Tell passes trials on. When that cannot be done, the next Ask says so.
func (s *suggester) Tell(finished []algorithms.Trial) {
	for part := range parts(finished) {
		s.send(&pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Tell{Tell: part}})
	}
}

func (s *suggester) Ask(ids []uint64, pending []algorithms.Trial) ([]algorithms.Suggestion, error) {
	for part := range parts(pending) {
		s.send(&pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Pending{Pending: part}})
	}
	s.send(&pluginv1.SuggestRequest{Request: &pluginv1.SuggestRequest_Ask{Ask: &pluginv1.Ask{Ids: ids}}})
	reply, err := s.receive(codes.OK)
	if err != nil {
		return nil, err
	}
	out, reason, err := readSuggestions(reply, s.problem.Space, ids, len(pending))
	if err != nil {
		s.fail(fmt.Errorf("the plugin is at fault: %w", err))
		return nil, s.err
	}
	return out, reason
}

// send is false when the stream is lost. Why is what receive says, for Send itself does not know.
func (s *suggester) send(r *pluginv1.SuggestRequest) bool {
	if s.err != nil {
		return false
	}
	err := s.within(func() error { return s.stream.Send(r) })
	if err != nil && !errors.Is(err, io.EOF) {
		s.fail(s.fault(err))
	}
	return err == nil
}

// receive waits for an answer. An error with the given code is a refusal, for the user.
func (s *suggester) receive(refused codes.Code) (reply *pluginv1.SuggestResponse, err error) {
	if s.err != nil {
		return nil, s.err
	}
	err = s.within(func() (err error) {
		reply, err = s.stream.Recv()
		return err
	})
	switch {
	case err == nil:
		return reply, nil
	case errors.Is(err, io.EOF):
		s.fail(fmt.Errorf("%w: the plugin ended the stream", algorithms.ErrLost))
	default:
		s.fail(s.refusal(err, refused))
	}
	return nil, s.err
}

// fail gives the instance up.
func (s *suggester) fail(err error) {
	s.err = err
	s.cancel()
}

// within lets a step of the stream take no longer than the timeout.
func (s *suggester) within(step func() error) error {
	late := time.AfterFunc(s.timeout, s.cancel)
	err := step()
	if !late.Stop() {
		return status.FromContextError(context.DeadlineExceeded).Err()
	}
	return err
}
