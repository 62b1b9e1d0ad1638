package server_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestPagesAreBounded: a page of trials with long notes and messages ends early, and the next one goes on there.
func TestPagesAreBounded(t *testing.T) {
	const n = 60
	long := 250_000
	if testing.Short() {
		long = 25_000 // secrets are looked for in all of it, which the race detector makes very slow
	}
	r := newRig(t, n)
	for i := range n {
		_, err := r.users.Tell(t.Context(), &tunedv1.TellRequest{
			Namespace: "default", Experiment: "asked", RequestId: fmt.Sprint(i), Failed: true, Message: strings.Repeat("m", long),
			Assignments: []*tunedv1.Assignment{{Name: "x", Value: "0.5"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		note := strings.Repeat("n", 60_000)
		if _, err := r.users.AnnotateTrial(t.Context(), &tunedv1.AnnotateTrialRequest{Namespace: "default", Experiment: "asked", Trial: fmt.Sprint(i + 1), Note: &note}); err != nil {
			t.Fatal(err)
		}
	}
	next, seen, pages := "", uint64(0), 0
	for first := true; first || next != ""; first = false {
		page, err := r.users.ListTrials(t.Context(), &tunedv1.ListTrialsRequest{Namespace: "default", Experiment: "asked", PageToken: next})
		if err != nil {
			t.Fatal(err)
		}
		if size := proto.Size(page); size > 2<<20+1<<10 || page.GetTotal() != n {
			t.Errorf("page %d has %d bytes, of %d trials", pages, size, page.GetTotal())
		}
		for _, trial := range page.GetTrials() {
			if seen++; trial.GetNumber() != seen || len(trial.GetMessage()) > 4<<10 {
				t.Fatalf("got trial %d with a message of %d bytes; want %d", trial.GetNumber(), len(trial.GetMessage()), seen)
			}
		}
		next, pages = page.GetNextPageToken(), pages+1
	}
	if seen != n || pages < 2 {
		t.Errorf("got %d trials on %d pages, want %d on several", seen, pages, n)
	}
}
