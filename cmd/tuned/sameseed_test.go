package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestSameSeedSameSuggestions: an experiment of a seed gets the same suggestions, byte for byte, by the command line as by
// gRPC and REST, when their results are told in the same order.
func TestSameSeedSameSuggestions(t *testing.T) {
	const rounds = 8 // more than the algorithm takes at random
	text := strings.Replace(twoParameters, "algorithm: {algorithmName: random}", `algorithm: {algorithmName: tpe, algorithmSettings: [{name: n_startup_trials, value: "3"}]}`, 1)
	text = strings.Replace(text, "maxTrialCount: 3", "maxTrialCount: 20\n  tuned: {seed: 7}", 1)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "work.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir)
	p := &place{dataDir: filepath.Join(dir, "d"), getenv: noEnv}
	c, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var want []string
	for _, over := range []struct {
		name string
		ask  func(t *testing.T) (flags string)
	}{
		{"cli", func(t *testing.T) string {
			t.Helper()
			out, _ := call(t, dir, exitOK, "ask", "work", "-n", "cli", "--data-dir", "d")
			_, flags, _ := strings.Cut(strings.TrimSuffix(out, "\n"), " ")
			return flags
		}},
		{"grpc", func(t *testing.T) string {
			t.Helper()
			r, err := c.Ask(t.Context(), &tunedv1.AskRequest{Namespace: "grpc", Experiment: "work", Count: 1})
			if err != nil {
				t.Fatal(err)
			}
			return flags(pairsOf(r.GetTrials()[0]))
		}},
		{"rest", func(t *testing.T) string { t.Helper(); return askOverREST(t, s, tokenOf(t, dir)) }},
	} {
		call(t, dir, exitOK, "submit", "work.yaml", "-n", over.name, "--data-dir", "d")
		var got []string
		for n := range rounds {
			got = append(got, over.ask(t))
			_, err := c.Tell(t.Context(), &tunedv1.TellRequest{
				Namespace: over.name, Experiment: "work", Trial: fmt.Sprint(n + 1), Metrics: map[string]float64{"loss": float64(n * n % 7)},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(got, want); diff != "" || len(got[0]) == 0 {
			t.Errorf("by %s (-got +by the command line):\n%s", over.name, diff)
		}
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// askOverREST returns the parameters of the next trial as flags.
func askOverREST(t *testing.T, s *service, token string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/namespaces/rest/experiments/work/ask", strings.NewReader(`{"count": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer tunedv1.AskResponse
	text, err := io.ReadAll(response.Body)
	if err == nil {
		err = protojson.Unmarshal(text, &answer)
	}
	if err != nil || len(answer.GetTrials()) != 1 {
		t.Fatalf("%s, %d trials, %v", response.Status, len(answer.GetTrials()), err)
	}
	return flags(pairsOf(answer.GetTrials()[0]))
}
