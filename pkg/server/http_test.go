package server_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answer is what a request got.
type answer struct {
	*http.Response
	body []byte
}

// problem is an error as HTTP clients get it.
type problem struct {
	Code    string
	Status  int
	Message string
	Help    string
	Faults  []struct {
		Path, Message string
		Line, Column  int
	}
}

// do sends a request over TCP. Fields are headers, name after value.
func (r *rig) do(t *testing.T, method, path, body string, fields ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.tcp+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			request.Host = fields[i+1]
		}
		request.Header.Set(fields[i], fields[i+1])
	}
	return r.send(t, request)
}

func (r *rig) send(t testing.TB, request *http.Request) answer {
	t.Helper()
	response, err := r.client.Transport.RoundTrip(request)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", request.Method, request.URL.Path, err)
	}
	return answer{response, text}
}

// as is the header of somebody with a token.
func as(token string) []string { return []string{"Authorization", "Bearer " + token} }

// user sends a request as the user and reads the JSON that is answered into out.
func (r *rig) user(t *testing.T, method, path, body string, out any) {
	t.Helper()
	a := r.do(t, method, path, body, as(userToken)...)
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s: %s", method, path, a.Status, a.body)
	}
	if out != nil {
		a.into(t, out)
	}
}

func (a answer) into(t *testing.T, out any) {
	t.Helper()
	if err := json.Unmarshal(a.body, out); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

// problem returns the error that was answered.
func (a answer) problem(t *testing.T) problem {
	t.Helper()
	var p problem
	a.into(t, &p)
	if p.Status != a.StatusCode || p.Code == "" || !strings.Contains(p.Help, "#"+strings.ToLower(p.Code)) {
		t.Errorf("answer of status %d: %s", a.StatusCode, a.body)
	}
	return p
}
