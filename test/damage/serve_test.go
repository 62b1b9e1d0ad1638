package damage_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tuned-hpo/tuned/algorithms/builtin"
	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

var moment = time.Unix(1_700_000_000, 0).UTC()

// fill makes a directory as a killed daemon leaves it: a part in tables, a part in logs, all of it
// acknowledged.
func fill(t *testing.T, base string) {
	t.Helper()
	work := t.TempDir()
	for round := range 3 {
		s, err := badger.Open(work, badger.Options{Log: zerolog.Nop(), Ballast: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, fmt.Sprintf("e%d", round), 40)
		if round == 2 { // it is copied as it stands, with its logs
			if out, err := exec.Command("cp", "-r", "--sparse=always", work, base).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// write stores an experiment with trials and their measurements.
func write(t *testing.T, s store.Store, name string, trials int) {
	t.Helper()
	ctx, key := t.Context(), experiment.Key{Namespace: "default", Name: name}
	parallel, budget := int32(4), int32(1000)
	e := &experiment.Experiment{
		Metadata: experiment.Metadata{Namespace: "default", Name: name, UID: "u-" + name, Created: &moment},
		Status:   experiment.NewStatus(moment),
		Spec: experiment.Spec{
			Objective:          &experiment.Objective{Type: "minimize", ObjectiveMetricName: "loss"},
			Algorithm:          &experiment.Algorithm{AlgorithmName: "random"},
			ParallelTrialCount: &parallel, MaxTrialCount: &budget,
			Parameters: []experiment.ParameterSpec{{Name: "x", ParameterType: "double", FeasibleSpace: experiment.FeasibleSpace{Min: "0", Max: "100"}}},
		},
	}
	experiment.SetDefaults(e)
	err := s.Create(ctx, e)
	revision := uint64(1)
	for n := 1; n <= trials && err == nil; n++ {
		trial := experiment.Trial{
			Number: uint64(n), Name: experiment.TrialName(name, e.Metadata.UID, uint64(n)), Attempt: 1, State: experiment.TrialRunning,
			Created: moment, Started: moment, Assignment: []experiment.Pair{{Name: "x", Value: fmt.Sprint(n)}},
		}
		revision, err = s.Commit(ctx, key, store.Change{Revision: revision, Create: []experiment.Trial{trial}})
		if err != nil {
			break
		}
		var ms []experiment.Measurement
		for i := range 100 {
			text := fmt.Sprintf("%d.%d", n, i)
			ms = append(ms, experiment.Measurement{Seq: uint64(i + 1), Time: moment, Metric: "loss", Text: text, Value: experiment.ParseValue(text)})
		}
		if _, err = s.Append(ctx, experiment.Stream{Experiment: key, Number: uint64(n), Attempt: 1, Source: "agent"}, ms); err != nil {
			break
		}
		if n > 3 { // some stay as they are
			trial.State, trial.Reason, trial.FinishNo, trial.Finished = experiment.TrialSucceeded, "TrialSucceeded", uint64(n-3), moment
			trial.Observation = experiment.Observe(e.Spec.Objective, ms)
			revision, err = s.Commit(ctx, key, store.Change{
				Revision: revision, Update: []experiment.Trial{trial},
				Events: []experiment.Event{{Time: moment, Trial: trial.Name, Reason: "TrialSucceeded", Message: strings.Repeat("so it is ", 20)}},
			})
		}
	}
	if err == nil {
		err = count(ctx, s, key, e, revision)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// count brings the status up to date, as the daemon does with each step.
func count(ctx context.Context, s store.Store, key experiment.Key, e *experiment.Experiment, revision uint64) error {
	all, err := s.Trials(ctx, key)
	if err != nil {
		return err
	}
	tally := experiment.NewTally(&e.Spec, all)
	status := tally.Next(e, false, moment)
	_, err = s.Commit(ctx, key, store.Change{Revision: revision, Status: &status})
	return err
}

// answer serves a directory, prints what the server says of it, and returns the exit code.
func answer(dir string) int {
	var a answers
	if err := a.collect(dir); err != nil {
		a = answers{Refused: err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
		return 1
	}
	return 0
}

func (a *answers) collect(dir string) (err error) {
	s, err := badger.Open(dir, badger.Options{Log: zerolog.Nop(), Ballast: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, stop, err := serve(s)
	if err != nil {
		return err
	}
	defer stop()
	sum := sha256.New()
	say := func(m proto.Message, err error) error {
		if err != nil {
			return err
		}
		text, err := protojson.MarshalOptions{}.Marshal(m)
		text = []byte(strings.ReplaceAll(string(text), " ", "")) // the encoder adds some at random
		sum.Write(text)
		return err
	}
	users, agents := tunedv1.NewTuningServiceClient(conn), tunedv1.NewAgentServiceClient(conn)
	list, err := users.ListExperiments(ctx, &tunedv1.ListExperimentsRequest{})
	err = say(list, err)
	for _, e := range list.GetExperiments() {
		one, errOne := users.GetExperiment(ctx, &tunedv1.GetExperimentRequest{Namespace: e.GetNamespace(), Name: e.GetName()})
		trials, errTrials := users.ListTrials(ctx, &tunedv1.ListTrialsRequest{Namespace: e.GetNamespace(), Experiment: e.GetName()})
		err = errors.Join(err, say(one, errOne), say(trials, errTrials))
		for _, t := range trials.GetTrials() {
			err = errors.Join(err, sayMeasured(ctx, s, agents, e, t, say, sum.Write))
		}
	}
	found, errCheck := s.Check(ctx, nil)
	for _, f := range found {
		err = errors.Join(err, errors.New(f.String()))
	}
	a.Said = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(err, errCheck)
}

// sayMeasured takes in a trial's measurements, and how an agent of a trial that runs is greeted.
func sayMeasured(ctx context.Context, s *badger.Store, agents tunedv1.AgentServiceClient, e *tunedv1.Experiment, t *tunedv1.Trial,
	say func(proto.Message, error) error, write func([]byte) (int, error),
) error {
	key := experiment.Key{Namespace: e.GetNamespace(), Name: e.GetName()}
	ms, err := s.Measurements(ctx, experiment.Stream{Experiment: key, Number: t.GetNumber(), Attempt: 1, Source: "agent"}, 0, 0)
	text, errText := json.Marshal(ms)
	if _, errWrite := write(text); err != nil || t.GetState() != string(experiment.TrialRunning) {
		return errors.Join(err, errText, errWrite)
	}
	stream, err := agents.Report(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+trialrunner.Token(nil, key, e.GetUid(), t.GetName(), 1)))
	if err == nil {
		err = stream.Send(&tunedv1.ReportRequest{Hello: &tunedv1.Hello{
			Namespace: key.Namespace, Experiment: key.Name, Uid: e.GetUid(), Trial: t.GetName(), Attempt: 1, Stream: "agent",
		}})
	}
	if err != nil {
		return err
	}
	greeting, err := stream.Recv()
	return say(greeting, err)
}

// user shows the user's token to the service of users.
type user struct{}

func (user) GetRequestMetadata(_ context.Context, service ...string) (map[string]string, error) {
	if strings.HasSuffix(service[0], tunedv1.AgentService_ServiceDesc.ServiceName) {
		return nil, nil // agents show the token of their trial
	}
	return map[string]string{"authorization": "Bearer of the user"}, nil
}

func (user) RequireTransportSecurity() bool { return false }

// idle is a runner that has nothing to run.
type idle struct{ trialrunner.Runner }

func (idle) Changed() <-chan experiment.Key { return nil }

func serve(s store.Store) (conn *grpc.ClientConn, stop func(), err error) {
	tn, err := tuner.New(tuner.Config{Store: s, Runner: idle{}, Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop()})
	if err != nil {
		return nil, nil, err
	}
	listener := bufconn.Listen(1 << 20)
	g := server.New(server.Config{Tuner: tn, UserToken: "of the user", Algorithms: builtin.Registry(), Now: time.Now, Log: zerolog.Nop(), Trial: func(token string) (tuner.Reporter, bool) {
		h, ok := trialrunner.HolderOf(nil, token)
		return tuner.Reporter{Experiment: h.Key(), UID: h.UID, Trial: h.Trial, Attempt: h.Attempt}, ok
	}})
	go func() { _ = g.Serve(listener) }()
	conn, err = grpc.NewClient("passthrough:///", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(user{}),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	return conn, func() {
		cut, cancel := context.WithCancel(context.Background())
		cancel()
		_ = errors.Join(conn.Close(), g.Shutdown(cut)) // the process ends
	}, err
}
