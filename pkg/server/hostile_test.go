package server_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// TestPathsAsNoClientSendsThem: a path that no method has is refused, whatever it looks like.
func TestPathsAsNoClientSendsThem(t *testing.T) {
	r := newRigOf(t, nil)
	paths := map[string]codes.Code{ // with the user's token
		"/tuned.v1.TuningService/GetVersion":                             codes.OK,
		"tuned.v1.TuningService/GetVersion":                              codes.Unimplemented,
		"//tuned.v1.TuningService/GetVersion":                            codes.Unimplemented,
		"/tuned.v1.TuningService//GetVersion":                            codes.Unimplemented,
		"/tuned.v1.TuningService/GetVersion/":                            codes.Unimplemented,
		"/tuned.v1.TuningService/getversion":                             codes.Unimplemented,
		"/tuned.v1.TuningService/GetVersion?x":                           codes.Unimplemented,
		"/x/../tuned.v1.TuningService/GetVersion":                        codes.Unimplemented,
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      codes.Unimplemented,
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": codes.Unimplemented,
		"*": codes.Unimplemented,
		"/": codes.Unimplemented,
	}
	for path, want := range paths {
		if got := r.rawCall(t, path, userToken); got != want {
			t.Errorf("%q with a token: got %v, want %v", path, got, want)
		}
		if got := r.rawCall(t, path, ""); got != codes.Unauthenticated && got != codes.Unimplemented {
			t.Errorf("%q without a token: got %v", path, got)
		}
	}
	if got := r.rawCall(t, "/tuned.v1.TuningService/GetVersion", ""); got != codes.Unauthenticated {
		t.Errorf("without a token: got %v, want Unauthenticated", got)
	}
}

// rawCall makes a call of GetVersion as HTTP/2 frames, and returns its status.
func (r *rig) rawCall(t *testing.T, path, token string) codes.Code {
	t.Helper()
	c := r.raw(t)
	c.begin(1, path, token)
	_ = c.WriteData(1, true, make([]byte, 5)) // an empty message
	return c.status()
}

// TestOtherOrigins: what a page of another origin can send changes nothing, and reads nothing.
func TestOtherOrigins(t *testing.T) {
	r := newRig(t, 3)
	logged := r.do(t, http.MethodGet, r.link(t), "")
	cookie := logged.Header.Get("Set-Cookie")
	if logged.StatusCode != http.StatusSeeOther || logged.Header.Get("Location") != "/" {
		t.Fatalf("log in: got %s to %q", logged.Status, logged.Header.Get("Location"))
	}
	for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, want) || strings.Contains(cookie, userToken) {
			t.Errorf("cookie %q: want %s, and not the token itself", cookie, want)
		}
	}
	if got := r.do(t, http.MethodGet, "/?login=wrong", "").StatusCode; got != http.StatusUnauthorized {
		t.Errorf("log in with a wrong link: got %d, want 401", got)
	}
	session, _, _ := strings.Cut(cookie, ";")
	pause, version := "/api/v1/namespaces/default/experiments/asked/pause", "/api/v1/version"
	tests := []struct {
		name, method, path, site, mode, origin string
		want                                   int
	}{
		{"our page reads", "GET", version, "same-origin", "cors", "", 200},
		{"our page changes", "POST", pause, "same-origin", "cors", "http://" + r.tcp, 200},
		{"an old browser, our page", "POST", pause, "", "", "http://" + r.tcp, 200},
		{"the address bar", "GET", version, "none", "navigate", "", 200},
		{"a link", "GET", version, "cross-site", "navigate", "", 200},
		{"another site changes", "POST", pause, "cross-site", "cors", "http://evil.example", 403},
		{"another port changes", "POST", pause, "same-site", "cors", "http://127.0.0.1:1", 403},
		{"a form of another port", "POST", pause, "same-site", "navigate", "http://127.0.0.1:1", 403},
		{"an old browser, another page", "POST", pause, "", "", "http://evil.example", 403},
		{"another port reads", "GET", version, "same-site", "cors", "http://127.0.0.1:1", 401},
		{"another site's script tag", "GET", version, "cross-site", "no-cors", "", 401},
		{"another site's events", "GET", "/api/v1/watch", "cross-site", "cors", "http://evil.example", 401},
		{"a deletion", "DELETE", "/api/v1/namespaces/default/experiments/asked", "cross-site", "cors", "http://evil.example", 403},
	}
	for _, tt := range tests {
		fields := []string{"Cookie", session}
		for i, value := range []string{tt.site, tt.mode, tt.origin} {
			if value != "" {
				fields = append(fields, []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Origin"}[i], value)
			}
		}
		a := r.do(t, tt.method, tt.path, map[string]string{"POST": "{}"}[tt.method], fields...)
		if a.StatusCode != tt.want {
			t.Errorf("%s: got %s, want %d: %s", tt.name, a.Status, tt.want, a.body)
		}
		checkHeaders(t, tt.name, a.Header)
	}
	if got := r.do(t, http.MethodGet, version, "", "Cookie", "tuned-hpo-session="+userToken).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("the token as a cookie: got %d, want 401", got)
	}
	if got := r.do(t, http.MethodPost, pause, "drain=1", append(as(userToken), "Content-Type", "application/x-www-form-urlencoded")...); got.problem(t).Code != "MEDIA_TYPE_UNSUPPORTED" {
		t.Errorf("a form: got %s", got.body)
	}
}

// TestNamesOfTheHost: a name that somebody made to resolve to here is not ours.
func TestNamesOfTheHost(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.Hosts = []string{"tuned.example"} })
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "10.0.0.7": 200, "tuned.example:8080": 200,
		"evil.example": 421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
	} {
		if a := r.do(t, http.MethodGet, "/healthz", "", "Host", host); a.StatusCode != want {
			t.Errorf("%s: got %d, want %d", host, a.StatusCode, want)
		}
	}
}

// TestLimits: what is too large is refused, and not read to its end.
func TestLimits(t *testing.T) {
	r := newRig(t, 3)
	large := strings.Repeat("x", 1<<20+1)
	create := "/api/v1/experiments"
	tests := []struct {
		name, path, body, code string
		fields                 []string
	}{
		{"a manifest", create, fmt.Sprintf(`{"manifest": %q}`, large), "MANIFEST_TOO_LARGE", nil},
		{"a body", create, fmt.Sprintf(`{"manifest": %q}`, large+large), "REQUEST_TOO_LARGE", nil},
		{"no JSON", create, `{"manifest": `, "REQUEST_MALFORMED", nil},
		{"an unknown field", create, `{"manifset": ""}`, "REQUEST_MALFORMED", nil},
		{"a request id", "/api/v1/namespaces/default/experiments/asked/ask", fmt.Sprintf(`{"requestId": %q}`, large[:300]), "ARGUMENT_INVALID", nil},
	}
	for _, tt := range tests {
		a := r.do(t, http.MethodPost, tt.path, tt.body, append(as(userToken), tt.fields...)...)
		if p := a.problem(t); p.Code != tt.code {
			t.Errorf("%s: got %s (%s), want %s", tt.name, p.Code, p.Message, tt.code)
		}
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.tcp+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", large[:100<<10])
	if response, err := r.client.Transport.RoundTrip(request); err == nil { // else the connection was reset
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("a header: got %s", response.Status)
		}
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-large", large[:10<<10])
	if _, err := r.users.GetVersion(ctx, &tunedv1.GetVersionRequest{}); err == nil {
		t.Error("a header over gRPC: no error")
	}
	_, err = r.users.CreateExperiment(t.Context(), &tunedv1.CreateExperimentRequest{Manifest: large + large})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over gRPC: got %v, want ResourceExhausted", err)
	}
}

// TestSlowPeers: a connection on which nothing comes, or no whole header, is closed, and others are served
// meanwhile.
func TestSlowPeers(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.Limits.Greeting = 300 * time.Millisecond })
	for name, begins := range map[string]string{
		"silence": "", "part of a header": "GET /healthz HT", "half a preface": http2.ClientPreface[:10], "a preface": http2.ClientPreface,
	} {
		conn, err := net.Dial("tcp", r.tcp)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(begins))
		if got := r.do(t, http.MethodGet, "/healthz", "").StatusCode; got != http.StatusOK {
			t.Errorf("%s: others got %d", name, got)
		}
		_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
		for err = nil; err == nil; {
			_, err = conn.Read(make([]byte, 1024))
		}
		if ne, ok := err.(net.Error); ok && ne.Timeout() { //nolint:errorlint // of this very read
			t.Errorf("%s: the connection was left open", name)
		}
		_ = conn.Close()
	}
}

func TestTooManyConnections(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.Limits.Connections = 3 })
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range 3 {
		c, err := net.Dial("tcp", r.tcp)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
		_, _ = c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		if n, err := c.Read(make([]byte, 16)); n == 0 {
			t.Fatalf("connection %d: %v", len(open), err)
		}
	}
	c, err := net.Dial("tcp", r.tcp)
	if err != nil {
		t.Fatal(err)
	}
	open = append(open, c)
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a fourth connection was let in")
	}
}

func TestRates(t *testing.T) {
	now := time.Now()
	r := newRigOf(t, asked(3), func(c *server.Config) {
		c.Now = func() time.Time { return now }
		c.Limits.Calls, c.Limits.Reports = server.Rate{PerSecond: 10, Burst: 4}, server.Rate{PerSecond: 10, Burst: 2}
	})
	for i := range 4 {
		if _, err := r.users.Ask(t.Context(), &tunedv1.AskRequest{Namespace: "default", Experiment: "asked", RequestId: "one"}); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if _, err := r.users.GetVersion(t.Context(), &tunedv1.GetVersionRequest{}); err != nil {
		t.Errorf("to read: %v", err)
	}
	a := r.do(t, http.MethodPost, "/api/v1/namespaces/default/experiments/asked/ask", "{}", as(userToken)...)
	if p := a.problem(t); p.Code != "RATE_LIMITED" || p.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Errorf("the fifth call: got %s, want RATE_LIMITED and when to try again", a.body)
	}
	now = now.Add(time.Second)
	if _, err := r.users.Ask(t.Context(), &tunedv1.AskRequest{Namespace: "default", Experiment: "asked", RequestId: "one"}); err != nil {
		t.Errorf("a second later: %v", err)
	}
}
