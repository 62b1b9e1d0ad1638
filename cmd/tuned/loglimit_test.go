package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tuned-hpo/tuned/internal/logline"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

// TestLogIsBounded asks again and again for what the disk has lost, at which each call has a line in the log.
func TestLogIsBounded(t *testing.T) {
	const n = 10 * logline.Most
	dir := writeExperiment(t)
	finish(t, dir)
	printed, err := filepath.Glob(filepath.Join(dir, "d/trials/default/work/*/1", trialdir.LogFile))
	if err != nil || len(printed) == 0 {
		t.Fatalf("no trial has a log: %v", err)
	}
	for _, file := range printed {
		if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	s := startServe(t, dir)
	token := tokenOf(t, dir)
	for range n {
		if got := s.get("/api/v1/namespaces/default/experiments/work/trials/1/log", token); got.status != http.StatusInternalServerError {
			t.Fatalf("got %d %s, want that the log cannot be read", got.status, got.text)
		}
	}
	s.exits(exitOK, syscall.SIGTERM)
	text, err := os.ReadFile(filepath.Join(dir, "d/tuned.log"))
	if err != nil {
		t.Fatal(err)
	}
	failed, leftOut := 0, 0
	for line := range bytes.Lines(text) {
		var r struct {
			Message, Of string
			LeftOut     int
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		switch {
		case r.Message == "request failed":
			failed++
		case r.Of == "request failed":
			leftOut += r.LeftOut
		}
	}
	if failed < logline.Most || failed > n/2 || leftOut == 0 || failed+leftOut > n {
		t.Errorf("of %d calls the log has %d, and says that %d were left out; want %d", n, failed, leftOut, logline.Most)
	}
}
