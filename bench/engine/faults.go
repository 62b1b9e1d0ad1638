package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// faultKinds are ways in which a trial goes wrong, each with the end of a shell script and the reason that
// users must be told.
var faultKinds = []struct{ name, script, reason string }{
	{"exit code", "exit 3", "ExitCode"},
	{"signal", "kill -9 $$", "Signal"},
	{"no metric", "exit 0", "MetricsUnavailable"},
	{"agent killed", "kill -9 $PPID; sleep 5", ""}, // it is tried again
}

// faults measures how long it takes from a fault of a trial until a client that watches has been told its reason.
func (b *bench) faults(ctx context.Context) error {
	for _, kind := range faultKinds {
		fmt.Fprintf(b.progress, "  %d trials that end by: %s\n", b.faulty, kind.name)
		took, err := b.faultsOf(ctx, kind.script, kind.reason)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
		b.add("faults", "from the fault to a client that watches: "+kind.name, quantiles(took)...)
	}
	return nil
}

func (b *bench) faultsOf(ctx context.Context, script, reason string) ([]time.Duration, error) {
	alive, s, err := b.serve(ctx, false)
	if err != nil {
		return nil, err
	}
	defer s.end()
	conn, user, err := s.connect(alive)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	users := tunedv1.NewTuningServiceClient(conn)
	watch, err := users.Watch(user, &tunedv1.WatchRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	when := filepath.Join(s.data, "when") // each fault notes its time in a file named after its trial
	if err := os.Mkdir(when, 0o700); err != nil {
		return nil, err
	}
	_, err = users.CreateExperiment(user, &tunedv1.CreateExperimentRequest{
		Manifest: strings.Replace(spec(1, b.faulty), "maxFailedTrialCount: 0", fmt.Sprintf("maxFailedTrialCount: %d", b.faulty), 1),
		Local: &tunedv1.Local{Dir: s.data, Command: []string{
			"sh", "-c", `date +%s%N > "` + when + `/$TUNED_TRIAL.$$"; ` + script, "trial", "${trialParameters.x}",
		}},
	})
	if err != nil {
		return nil, err
	}
	return b.told(watch, when, reason)
}

// told reads the changes until the experiment has ended, and compares when each fault was with when it was told.
func (b *bench) told(watch grpc.ServerStreamingClient[tunedv1.WatchResponse], when, reason string) (took []time.Duration, err error) {
	seen := map[string]bool{}
	for {
		change, err := watch.Recv()
		if err != nil {
			return nil, err
		}
		now := time.Now()
		if change.GetExperiment().GetSettled() {
			break
		}
		name, why := change.GetTrial().GetName(), change.GetTrial().GetReason()
		if e := change.GetEvent(); reason == "" && e.GetTrial() != "" && e.GetReason() == "TrialLost" {
			name, why = e.GetTrial(), ""
		} else if reason == "" || why == "" || seen[name] {
			continue
		}
		seen[name] = true
		if why != reason {
			return nil, fmt.Errorf("trial %s: told %q, want %q", name, why, reason)
		}
		at, err := lastNote(when, name)
		if err != nil {
			return nil, err
		}
		took = append(took, now.Sub(at))
	}
	if len(took) < b.faulty {
		return nil, fmt.Errorf("told of %d faults, want %d", len(took), b.faulty)
	}
	return took, nil
}

// lastNote returns the latest time that a trial noted.
func lastNote(dir, trial string) (at time.Time, err error) {
	files, err := filepath.Glob(filepath.Join(dir, trial+".*"))
	if err != nil {
		return at, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return at, err
		}
		if len(text) == 0 { // the next attempt is about to write
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return at, err
		}
		if t := time.Unix(0, n); t.After(at) {
			at = t
		}
	}
	if at.IsZero() {
		return at, fmt.Errorf("trial %s noted no time", trial)
	}
	return at, nil
}
