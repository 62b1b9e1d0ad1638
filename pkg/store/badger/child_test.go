package badger

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
)

// The tests start their own binary anew as another process, which does one of these to a
// directory and can be killed, or die of a damaged database, without the test.
const (
	childEnv    = "TUNED_TEST_CHILD"
	dirEnv      = "TUNED_TEST_DIR"
	reserveEnv  = "TUNED_TEST_RESERVE" // bytes; "" for that of small
	readOnlyEnv = "TUNED_TEST_READ_ONLY"
)

var children = map[string]func() int{"write": childWrite, "dump": childDump, "restore": childRestore}

func child(t *testing.T, what, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), childEnv+"="+what, dirEnv+"="+dir)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

const childStreams = 8

func childStream(i int) experiment.Stream {
	return experiment.Stream{Experiment: experiment.Key{Namespace: "default", Name: "crash"}, Number: uint64(i) + 1, Attempt: 1, Source: "agent"}
}

// childMeasurement is what the child writes; most are short, some long enough to fill memtables.
func childMeasurement(seq uint64) experiment.Measurement {
	m := experiment.Measurement{Seq: seq, Time: time.Unix(int64(seq), 0).UTC(), Step: int64(seq), Metric: "loss", Value: float64(seq), Text: fmt.Sprint(seq)}
	if seq%50 == 0 {
		m.Value, m.Text = 0, strings.Repeat("0", int(seq%7)*20_000+1)
	}
	return m
}

func childOpen() (*Store, error) {
	o := small
	o.ReadOnly = os.Getenv(readOnlyEnv) != ""
	if text := os.Getenv(reserveEnv); text != "" {
		var err error
		if o.Reserve, err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, err
		}
	}
	return Open(os.Getenv(dirEnv), o)
}

// childWrite writes until it is killed or the disk is full, and prints each acknowledgement.
func childWrite() int {
	s, err := childOpen()
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	ctx := context.Background()
	key := childStream(0).Experiment
	if err := s.Create(ctx, &experiment.Experiment{Metadata: experiment.Metadata{Namespace: key.Namespace, Name: key.Name}}); err == nil {
		var c store.Change
		for i := range childStreams {
			c.Create = append(c.Create, experiment.Trial{Number: uint64(i) + 1, Name: fmt.Sprint("t", i), Attempt: 1, State: experiment.TrialRunning})
		}
		c.Revision = 1
		if _, err := s.Commit(ctx, key, c); err != nil {
			fmt.Println("error", err)
			return 1
		}
	}
	var out sync.Mutex
	say := func(args ...any) {
		out.Lock()
		defer out.Unlock()
		fmt.Println(args...)
	}
	var wg sync.WaitGroup
	for i := range childStreams {
		wg.Go(func() { childAppend(ctx, s, i, say) })
	}
	wg.Go(func() { childCommit(ctx, s, key, say) })
	wg.Wait()
	say("full")
	select {} // until it is killed
}

func childAppend(ctx context.Context, s *Store, i int, say func(...any)) {
	acked, err := s.Acked(ctx, childStream(i))
	for err == nil {
		ms := []experiment.Measurement{childMeasurement(acked + 1), childMeasurement(acked + 2)}
		if acked, err = s.Append(ctx, childStream(i), ms); err == nil {
			say("acked", i, acked)
		}
	}
	if !errors.Is(err, store.ErrFull) {
		say("error", err)
	}
}

// childCommit counts the experiment's revision up, and creates a trial with each.
func childCommit(ctx context.Context, s *Store, key experiment.Key, say func(...any)) {
	e, err := s.Get(ctx, key)
	for err == nil {
		n := e.Revision - 2 + childStreams + 1
		e.Revision, err = s.Commit(ctx, key, store.Change{
			Revision: e.Revision,
			Create:   []experiment.Trial{{Number: n, Name: fmt.Sprint("t", n), Attempt: 1, State: experiment.TrialSucceeded, FinishNo: n}},
			Events:   []experiment.Event{{Reason: fmt.Sprint("E", n)}},
		})
		if err == nil {
			say("committed", e.Revision)
		}
	}
	if !errors.Is(err, store.ErrFull) {
		say("error", err)
	}
}

// outcome is what another process found in a directory.
type outcome struct {
	Refused string            // the error of opening or reading; "" for none
	Kind    string            // of it
	State   string            // a checksum of all that is stored
	Acked   map[string]uint64 // by stream
	Found   []string          // by Check
}

func childDump() int {
	var o outcome
	s, err := childOpen()
	if err == nil {
		err = o.read(s)
		err = errors.Join(err, s.Close())
	}
	if err != nil {
		o.Refused = err.Error()
		for name, kind := range map[string]error{"corrupt": store.ErrCorrupt, "full": store.ErrFull, "invalid": store.ErrInvalid} {
			if errors.Is(err, kind) {
				o.Kind = name
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		return 1
	}
	return 0
}

// read sums up everything that the store's methods return.
func (o *outcome) read(s *Store) error {
	ctx := context.Background()
	o.Acked = map[string]uint64{}
	sum := sha256.New()
	say := json.NewEncoder(sum)
	experiments, err := s.List(ctx)
	for _, e := range experiments {
		trials, errTrials := s.Trials(ctx, e.Key())
		events, errEvents := s.Events(ctx, e.Key(), 0)
		err = errors.Join(err, errTrials, errEvents, say.Encode(e), say.Encode(trials), say.Encode(events))
		for i := range trials {
			stream := experiment.Stream{Experiment: e.Key(), Number: trials[i].Number, Attempt: trials[i].Attempt, Source: "agent"}
			ms, errStream := s.Measurements(ctx, stream, 0, 0)
			acked, errAcked := s.Acked(ctx, stream)
			err = errors.Join(err, errStream, errAcked, say.Encode(ms), say.Encode(acked))
			o.Acked[fmt.Sprint(stream)] = acked
		}
	}
	found, errCheck := s.checkRecords(ctx)
	for _, f := range found {
		o.Found = append(o.Found, f.String())
	}
	o.State = hex.EncodeToString(sum.Sum(nil))
	return errors.Join(err, errCheck)
}

// dump reads a directory in another process. It ends the test when that process dies.
func dump(t *testing.T, dir string) (o outcome) {
	t.Helper()
	text, err := child(t, "dump", dir).Output()
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		t.Fatalf("reading %s in another process: %v, it printed %s", dir, err, text)
	}
	return o
}

// acks is what a writing child has acknowledged.
type acks struct {
	streams  [childStreams]uint64
	revision uint64
}

// follow takes lines of a child until limit of them have been seen or it has no more to say; 0 is
// no limit. It reports whether the child said that the disk is full.
func (a *acks) follow(t *testing.T, lines *bufio.Scanner, limit int) (full bool) {
	t.Helper()
	for n := 1; lines.Scan(); n++ {
		var i int
		var number uint64
		line := lines.Text()
		switch {
		case line == "full":
			return true
		case scans(line, "acked %d %d", &i, &number):
			a.streams[i] = max(a.streams[i], number)
		case scans(line, "committed %d", &number):
			a.revision = max(a.revision, number)
		default:
			t.Errorf("the writing process says: %s", line)
		}
		if n == limit {
			return false
		}
	}
	return false
}

func scans(line, format string, args ...any) bool {
	n, err := fmt.Sscanf(line, format, args...)
	return err == nil && n == len(args)
}
