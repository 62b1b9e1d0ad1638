package server_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
)

// TestAnswersThatBreakOff: a client sees that an answer is not whole.
func TestAnswersThatBreakOff(t *testing.T) {
	r := newRigOf(t, nil)
	r.server.Handle("GET /half", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of it")
		panic(http.ErrAbortHandler)
	}))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.tcp+"/half", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+userToken)
	response, err := r.client.Transport.RoundTrip(request)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		_ = response.Body.Close()
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want an answer that is cut", err)
	}
}
