// Package host is the side of tuned that speaks to a plugin: it makes the algorithms that a plugin offers into
// definitions like those that are built in. What a plugin answers is checked before anything is made of it.
package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tuned-hpo/tuned/algorithms"
	pluginv1 "github.com/tuned-hpo/tuned/api/tuned/plugin/v1"
)

// maxReply is the most bytes of an answer.
const maxReply = 64 << 20

// Definitions asks the plugin at the other end of a connection which algorithms it offers. They work as
// long as the connection does. A call, or a step of one, that takes longer than the timeout is given up.
func Definitions(ctx context.Context, conn grpc.ClientConnInterface, timeout time.Duration) ([]algorithms.Definition, error) {
	c := &caller{client: pluginv1.NewPluginServiceClient(conn), timeout: timeout}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	reply, err := c.client.ListAlgorithms(ctx, &pluginv1.ListAlgorithmsRequest{})
	if err != nil {
		return nil, fmt.Errorf("list the plugin's algorithms: %w", c.fault(err))
	}
	defs, err := readDefinitions(reply)
	if err != nil {
		return nil, fmt.Errorf("the plugin's list of algorithms: %w", err)
	}
	for i := range defs {
		c.bind(&defs[i], reply.GetAlgorithms()[i]) //nolint:contextcheck // what the functions of a definition do outlasts this call
	}
	return defs, nil
}

// caller calls a plugin.
type caller struct {
	client  pluginv1.PluginServiceClient
	timeout time.Duration
}

// bind gives a definition its functions.
func (c *caller) bind(def *algorithms.Definition, offer *pluginv1.Algorithm) {
	d := *def
	def.New = func(p algorithms.Problem, v algorithms.Values) (algorithms.Suggester, error) { return c.open(d, p, v) }
	if offer.GetCheck() {
		def.Check = func(p algorithms.Problem, v algorithms.Values) error { return c.check(d, p, v) }
	}
	if offer.GetAdvise() {
		def.Advise = func(p algorithms.Problem, v algorithms.Values) []algorithms.Advice { return c.advise(d, p, v) }
	}
	if offer.GetInsight() {
		def.Insight = func(p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
			return c.insight(d, p, v, finished)
		}
	}
}

func (c *caller) check(d algorithms.Definition, p algorithms.Problem, v algorithms.Values) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	task, err := writeTask(d, p, v)
	if err != nil {
		return err
	}
	_, err = c.client.Check(ctx, &pluginv1.CheckRequest{Task: task})
	return c.refusal(err, codes.InvalidArgument)
}

// advise says so when there is no advice to be had, for it has no error to return.
func (c *caller) advise(d algorithms.Definition, p algorithms.Problem, v algorithms.Values) []algorithms.Advice {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	task, err := writeTask(d, p, v)
	if err != nil {
		return noAdvice(err)
	}
	reply, err := c.client.Advise(ctx, &pluginv1.AdviseRequest{Task: task})
	if err != nil {
		return noAdvice(c.fault(err))
	}
	advice, err := readAdvice(reply, d.Settings)
	if err != nil {
		return noAdvice(err)
	}
	return advice
}

func noAdvice(err error) []algorithms.Advice {
	return []algorithms.Advice{{Text: "the plugin's advice is not to be had: " + err.Error()}}
}

func (c *caller) insight(d algorithms.Definition, p algorithms.Problem, v algorithms.Values, finished []algorithms.Trial) (algorithms.Insight, error) {
	ctx, cancel := context.WithTimeout(context.Background(), c.timeout)
	defer cancel()
	task, err := writeTask(d, p, v)
	if err != nil {
		return algorithms.Insight{}, err
	}
	stream, err := c.client.Insight(ctx, grpc.MaxCallRecvMsgSize(maxReply))
	if err != nil {
		return algorithms.Insight{}, c.fault(err)
	}
	// An error of Send is that the plugin has answered already; CloseAndRecv says what.
	send := func(r *pluginv1.InsightRequest) bool { return stream.Send(r) == nil }
	sent := sendPriors(d, p, func(prior *pluginv1.Prior) bool {
		return send(&pluginv1.InsightRequest{Request: &pluginv1.InsightRequest_Prior{Prior: prior}})
	}) && send(&pluginv1.InsightRequest{Request: &pluginv1.InsightRequest_Open{Open: task}})
	for part := range parts(finished) {
		sent = sent && send(&pluginv1.InsightRequest{Request: &pluginv1.InsightRequest_Tell{Tell: part}})
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return algorithms.Insight{}, c.refusal(err, codes.FailedPrecondition)
	}
	if !sent {
		return algorithms.Insight{}, errors.New("the plugin answered insight before it was told everything")
	}
	insight, err := readInsight(reply, p, finished)
	if err != nil {
		return algorithms.Insight{}, fmt.Errorf("the plugin's insight: %w", err)
	}
	return insight, nil
}

// refusal returns the answer for the user that an error with the given code is; any other is a fault.
func (c *caller) refusal(err error, code codes.Code) error {
	if s := status.Convert(err); s.Code() == code {
		return errors.New(clean(s.Message()))
	}
	return c.fault(err)
}

// fault says what became of a call to a plugin. It wraps ErrLost when the plugin is not there.
func (c *caller) fault(err error) error {
	switch s := status.Convert(err); s.Code() {
	case codes.OK:
		return nil
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: the plugin did not answer within %v", algorithms.ErrLost, c.timeout)
	case codes.Unavailable, codes.Canceled:
		return fmt.Errorf("%w: %s", algorithms.ErrLost, clean(s.Message()))
	default:
		return fmt.Errorf("the plugin is at fault: %s: %s", s.Code(), clean(s.Message()))
	}
}
