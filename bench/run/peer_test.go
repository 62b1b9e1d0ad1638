package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/bench/problem"
	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// asPeer makes this program, started once more, the peer of the tests.
const asPeer = "TUNED_TEST_PEER"

func TestMain(m *testing.M) {
	if how := os.Getenv(asPeer); how != "" {
		playPeer(how)
		return
	}
	os.Exit(m.Run())
}

// playPeer answers as the named kind of peer does.
func playPeer(how string) {
	var start map[string]any
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var request map[string]any
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			panic(err)
		}
		switch op := request["op"]; {
		case how == "slow": // it never answers
		case op == "hello":
			fmt.Println(`{"name":"test","version":"1.2","parts":{"b":"2","a":"1"}}`)
		case op == "start":
			start = request
			if how == "choosy" {
				fmt.Println(`{"unsupported":"it likes no letters"}`)
				continue
			}
			fmt.Println(`{"ok":true}`)
		case op == "ask" && how == "dying":
			fmt.Fprintln(os.Stderr, "out of memory")
			os.Exit(1)
		case op == "ask" && how == "failing":
			fmt.Println(`{"error":"ValueError: no"}`)
		case op == "ask" && how == "echo": // the start request as text
			text, _ := json.Marshal(start)
			fmt.Fprintln(os.Stderr, string(text))
			os.Exit(1)
		case op == "ask":
			fmt.Println(how)
		case op == "tell" && request["losses"] == nil:
			fmt.Println(`{"ok":true,"cpu":0.5,"wall":1}`)
		default:
			fmt.Println(`{"ok":true,"cpu":0.25,"wall":1}`)
		}
	}
}

// startPeer starts such a peer on a problem with one parameter of each kind.
func startPeer(t *testing.T, how string) (*peer, error) {
	t.Helper()
	t.Setenv(asPeer, how)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := openPeer(t.Context(), greeting, []string{self})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	space, err := searchspace.New([]searchspace.Parameter{
		{Name: "depth", Kind: searchspace.Int, Min: 1, Max: 9, ActiveWhen: &searchspace.Condition{Parent: "size", Values: []string{"0.5"}}},
		{Name: "rate", Kind: searchspace.Double, Min: 1e-3, Max: 1, Distribution: searchspace.LogUniform},
		{Name: "size", Kind: searchspace.Discrete, Values: []string{"0.5", "2"}, Numbers: []float64{0.5, 2}},
		{Name: "kind", Kind: searchspace.Categorical, Values: []string{"a", "b"}},
		{Name: "share", Kind: searchspace.Double, Max: 1, Step: 0.1, ActiveWhen: &searchspace.Condition{Parent: "kind", Values: []string{"b"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, p.Start(Task{Problem: &problem.Problem{Space: space, Budget: 10, Objectives: 1}, Seed: 7, Workers: 2})
}

func TestPeerIsTold(t *testing.T) {
	p, err := startPeer(t, "echo")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = p.Ask(1)
	want := `{"budget":10,"constraints":0,"objectives":1,"op":"start","parallel":2,"seed":7,"space":[` +
		`{"kind":"double","log":true,"max":1,"min":0.001,"name":"rate"},` +
		`{"kind":"discrete","name":"size","numbers":[0.5,2]},` +
		`{"kind":"categorical","name":"kind","values":["a","b"]},` +
		`{"kind":"double","max":1,"min":0,"name":"share","parent":"kind","step":0.1,"when":["b"]},` +
		`{"kind":"int","max":9,"min":1,"name":"depth","parent":"size","step":1,"when":[0.5]}]}`
	if !strings.Contains(message(err), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if p.version != "1.2 (a 1, b 2)" {
		t.Errorf("version is %q", p.version)
	}
}

func TestPeerAnswers(t *testing.T) {
	tests := []struct {
		name, answer string
		want         string // point, or part of the error
	}{
		{"all active", `{"point":{"depth":3,"rate":0.5,"size":0.5,"kind":"b","share":0.3},"cpu":0.5,"wall":2}`, "[3 0.5 0.5 1 0.3]"},
		{"some inactive", `{"point":{"rate":0.5,"size":2,"kind":"a"}}`, "[NaN 0.5 2 0 NaN]"},
		{"rounded elsewhere", `{"point":{"rate":1.0000000000000002,"size":2,"kind":"b","share":0.30000000000000004}}`, "[NaN 1 2 1 0.3]"},
		{"off the grid", `{"point":{"rate":0.5,"size":2,"kind":"b","share":0.33}}`, "the point is not in the space"},
		{"out of range", `{"point":{"rate":2,"size":2,"kind":"a"}}`, "the point is not in the space"},
		{"missing", `{"point":{"size":2,"kind":"a"}}`, "active, but has no value"},
		{"should be inactive", `{"point":{"rate":0.5,"size":2,"kind":"a","share":0.3}}`, "not active"},
		{"unknown name", `{"point":{"rate":0.5,"size":2,"kind":"a","x":1}}`, `a parameter "x"`},
		{"unknown label", `{"point":{"rate":0.5,"size":2,"kind":"c"}}`, "c is no value of a categorical parameter"},
		{"text for a number", `{"point":{"rate":"0.5","size":2,"kind":"a"}}`, "0.5 is no value of a double parameter"},
		{"no JSON", `Traceback`, `the peer answered "Traceback\n"`},
		{"its error", "failing", "ValueError: no"},
		{"its end", "dying", "the peer has ended; its last words:\nout of memory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := startPeer(t, tt.answer)
			if err != nil {
				t.Fatal(err)
			}
			point, _, err := p.Ask(1)
			got := fmt.Sprint(point)
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestPeerCosts(t *testing.T) {
	p, err := startPeer(t, `{"point":{"rate":0.5,"size":2,"kind":"a"},"cpu":0.125,"wall":2}`)
	if err != nil {
		t.Fatal(err)
	}
	_, ask, err := p.Ask(1)
	if want := (Cost{0.125, 2}); ask != want || err != nil {
		t.Errorf("ask: got %v, %v, want %v", ask, err, want)
	}
	for _, tt := range []struct {
		loss float64
		want float64
	}{{0.5, 0.25}, {math.NaN(), 0.5}} {
		cost, err := p.Tell(1, Outcome{Losses: []float64{tt.loss}})
		if cost.CPU != tt.want || err != nil {
			t.Errorf("tell %v: got %v, %v, want %v s", tt.loss, cost, err, tt.want)
		}
	}
}

func TestPeerMayRefuse(t *testing.T) {
	_, err := startPeer(t, "choosy")
	if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "it likes no letters") {
		t.Errorf("got %v", err)
	}
}

func TestSlowAndInterruptedPeers(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asPeer, "slow")
	if _, err := openPeer(t.Context(), time.Millisecond, []string{self}); !strings.Contains(message(err), `no answer to {"op":"hello"} within 1ms`) {
		t.Errorf("a slow start: got %v", err)
	}
	t.Setenv(asPeer, "any")
	ctx, interrupt := context.WithCancel(t.Context())
	p, err := openPeer(ctx, greeting, []string{self})
	if err != nil {
		t.Fatal(err)
	}
	interrupt()
	if err := p.End(); !errors.Is(err, errInterrupted) && err != nil { // it may have answered just before
		t.Errorf("got %v", err)
	}
	p.wait()
	if err := p.End(); !errors.Is(err, errInterrupted) {
		t.Errorf("after its end: got %v", err)
	}
}
