package server_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/server"
	"github.com/tuned-hpo/tuned/pkg/trialrunner"
)

// trialMethods are those that a trial may call about itself.
var trialMethods = []string{"ReportTrial", "ShouldStop", "GetTrial"}

// credential is what a caller shows, and whether it opens the methods of users and those of the trial that
// the request names.
type credential struct {
	name                string
	header              string // of Authorization; "" for none
	cookie              string // of a browser; "" for none. gRPC takes none
	genuine             bool   // the daemon has made the token
	over                bool   // it was good once, for what its trial may call: that is refused as over
	forUsers, forTrials bool
}

// credentials are about a running trial, which is at the given attempt.
func (r *rig) credentials(trial, foreign string, attempt int) []credential {
	key := experiment.Key{Namespace: "default", Name: "asked"}
	bearer := func(key experiment.Key, uid, trial string, attempt int) string {
		return "Bearer " + token(key, uid, trial, attempt)
	}
	return []credential{
		{name: "none"},
		{name: "wrong", header: "Bearer wrong"},
		{name: "user's, cut", header: "Bearer " + userToken[:len(userToken)-1]},
		{name: "user's, as Basic", header: "Basic " + userToken},
		{name: "empty", header: "Bearer "},
		{name: "foreign trial", header: bearer(key, r.uid, foreign, attempt), genuine: true},
		{name: "earlier attempt", header: bearer(key, r.uid, trial, attempt-1), genuine: true, over: true},
		{name: "later attempt", header: bearer(key, r.uid, trial, attempt+1), genuine: true},
		{name: "earlier experiment", header: bearer(key, "other", trial, attempt), genuine: true},
		{name: "forged", header: "Bearer " + trialrunner.Token([]byte("other"), key, r.uid, trial, attempt)},
		{name: "other namespace", header: bearer(experiment.Key{Namespace: "other", Name: "asked"}, r.uid, trial, attempt), genuine: true},
		{name: "trial", header: bearer(key, r.uid, trial, attempt), genuine: true, forTrials: true},
		{name: "user", header: "Bearer " + userToken, genuine: true, forUsers: true, forTrials: true},
	}
}

// browsers are credentials that were got by a link: one that is good, those that are not, and one beside a token, which
// is what counts.
func (r *rig) browsers(t *testing.T, clock *later) []credential {
	t.Helper()
	expired := r.login(t)
	clock.add(8 * 24 * time.Hour)
	good := r.login(t)
	return []credential{
		{name: "cookie", cookie: good, forUsers: true},
		{name: "expired cookie", cookie: expired},
		{name: "forged cookie", cookie: good + "0"},
		{name: "cookie and wrong token", cookie: good, header: "Bearer wrong"},
	}
}

// TestWhoMayCallWhat walks every method and every route with every credential, and prints what came of it.
func TestWhoMayCallWhat(t *testing.T) {
	var clock later
	r := newRigOf(t, asked(5), clock.set, func(c *server.Config) { c.Tuner = startedAnew{c.Tuner} })
	ended := r.ask(t, 1, "").GetTrials()[0].GetName()
	if err := r.tell(t.Context(), ended, "0.5"); err != nil {
		t.Fatal(err)
	}
	running := r.ask(t, 1, "").GetTrials()[0].GetName()
	foreign := r.ask(t, 1, "").GetTrials()[0].GetName()
	key := experiment.Key{Namespace: "default", Name: "asked"}
	credentials := append(r.credentials(running, foreign, 2), r.browsers(t, &clock)...)
	credentials = append(credentials, credential{name: "trial that ended", header: "Bearer " + token(key, r.uid, ended, 2), genuine: true})
	tcp := dial(t, r.tcp)
	var table strings.Builder
	fmt.Fprintf(&table, "%-90s", "")
	for _, c := range credentials {
		fmt.Fprintf(&table, "|%s", c.name)
	}
	rows := 0
	row := func(name string, forTrials bool, call func(c credential) bool) {
		fmt.Fprintf(&table, "\n%-90s", name)
		rows++
		for _, c := range credentials {
			allowed, want := call(c), c.forUsers || forTrials && c.forTrials
			want = want && (c.cookie == "" || !strings.HasPrefix(name, "gRPC "))
			fmt.Fprintf(&table, "|%-*s", len(c.name), map[bool]string{true: "yes", false: "-"}[allowed])
			if allowed != want {
				t.Errorf("%s with %s: allowed %v, want %v", name, c.name, allowed, want)
			}
		}
	}
	for _, m := range methodsOf(t, tunedv1.TuningService_ServiceDesc) {
		forTrials := slices.Contains(trialMethods, string(m.Name()))
		row("gRPC "+string(m.Name()), forTrials, func(c credential) bool { return r.allowed(t, tcp, m, c, forTrials, running) })
	}
	operations := operationsOf(strictDoc(t))
	for _, name := range slices.Sorted(maps.Keys(operations)) {
		o := operations[name]
		if o.Path == "/healthz" || o.Path == "/readyz" {
			continue // public: see TestPublicRoutes
		}
		if o.PathItem.Extensions["x-joined"] != nil {
			r.server.Handle(o.Method+" "+o.Path, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		}
		forTrials := slices.Contains(trialMethods, name)
		row(o.Method+" "+o.Path, forTrials, func(c credential) bool { return r.allowedHTTP(t, o, c, forTrials, running) })
	}
	for _, path := range []string{"/", "/metrics", "/nothing", "/api/v1/nothing", "/api/v2/x", "/debug/pprof/", "/healthz/x", "//healthz", "/api/v1/../v1/version"} {
		row("GET "+path, false, func(c credential) bool { return r.letIn(t, http.MethodGet, path, c) })
	}
	t.Logf("%d methods and routes\n%s", rows, table.String())
}

func methodsOf(t *testing.T, d grpc.ServiceDesc) (out []protoreflect.MethodDescriptor) {
	t.Helper()
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(d.ServiceName))
	if err != nil {
		t.Fatal(err)
	}
	methods := found.(protoreflect.ServiceDescriptor).Methods()
	for i := range methods.Len() {
		out = append(out, methods.Get(i))
	}
	return out
}

// allowed calls a method: about an experiment that does not exist, unless it is for trials.
func (r *rig) allowed(t *testing.T, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, c credential, forTrials bool, trial string) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if c.header != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
	}
	if c.cookie != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "cookie", c.cookie)
	}
	request, response := newMessage(t, m.Input()), newMessage(t, m.Output())
	address := map[string]string{"namespace": "default", "experiment": "absent", "name": "absent"}
	if forTrials {
		address = map[string]string{"namespace": "default", "experiment": "asked", "trial": trial}
	}
	for name, value := range address {
		if f := m.Input().Fields().ByName(protoreflect.Name(name)); f != nil {
			request.ProtoReflect().Set(f, protoreflect.ValueOfString(value))
		}
	}
	method := "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
	var err error
	if m.IsStreamingServer() {
		var stream grpc.ClientStream
		stream, err = conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
		if err == nil {
			_ = stream.SendMsg(request)
			_ = stream.CloseSend()
			err = stream.RecvMsg(response)
		}
	} else {
		err = conn.Invoke(ctx, method, request, response)
	}
	if code := status.Code(err); code == codes.Unimplemented || code == codes.Internal || code == codes.Unknown {
		t.Errorf("%s: %v", method, err)
	}
	c.check(t, method, status.Code(err) == codes.Unauthenticated, status.Code(err) == codes.PermissionDenied)
	if c.over && forTrials {
		return reasonOf(err) != "TRIAL_OVER"
	}
	return status.Code(err) != codes.Unauthenticated && status.Code(err) != codes.PermissionDenied
}

// check looks at how somebody is refused: that a right token is not enough is said.
func (c credential) check(t *testing.T, what string, unauthenticated, forbidden bool) {
	t.Helper()
	if unauthenticated && c.genuine || forbidden && !c.genuine {
		t.Errorf("%s with %s: unauthenticated %v, forbidden %v", what, c.name, unauthenticated, forbidden)
	}
}

func newMessage(t *testing.T, d protoreflect.MessageDescriptor) proto.Message {
	t.Helper()
	m, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		t.Fatal(err)
	}
	return m.New().Interface()
}

func (r *rig) allowedHTTP(t *testing.T, o *operation, c credential, forTrials bool, trial string) bool {
	t.Helper()
	name := "absent"
	if forTrials {
		name = "asked"
	}
	path := strings.NewReplacer("{namespace}", "default", "{experiment}", name, "{name}", name, "{trial}", trial).Replace(o.Path)
	if c.over && forTrials {
		return r.status(t, o.Method, path, c) != http.StatusConflict
	}
	return r.letIn(t, o.Method, path, c)
}

// letIn reports whether a request is answered by who it is for.
func (r *rig) letIn(t *testing.T, method, path string, c credential) bool {
	t.Helper()
	got := r.status(t, method, path, c)
	c.check(t, method+" "+path, got == http.StatusUnauthorized, got == http.StatusForbidden)
	return got != http.StatusUnauthorized && got != http.StatusForbidden
}

// status returns the status of an answer, of which no more is read.
func (r *rig) status(t *testing.T, method, path string, c credential) int {
	t.Helper()
	body := ""
	if method == http.MethodPost {
		body = "{}"
	}
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.tcp+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.URL.Path = path
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.header != "" {
		request.Header.Set("Authorization", c.header)
	}
	if c.cookie != "" {
		request.Header.Set("Cookie", c.cookie)
	}
	response, err := r.client.Transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(response.Body, make([]byte, 1))
	_ = response.Body.Close()
	checkHeaders(t, method+" "+path, response.Header)
	return response.StatusCode
}

// checkHeaders looks for what is on every answer.
func checkHeaders(t *testing.T, what string, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		if !strings.Contains(h.Get(name), want) {
			t.Errorf("%s: header %s is %q, want %q", what, name, h.Get(name), want)
		}
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%s: other origins may read it", what)
	}
}

func TestPublicRoutes(t *testing.T) {
	r := newRigOf(t, nil)
	for _, path := range []string{"/healthz", "/readyz"} {
		if got := r.status(t, http.MethodGet, path, credential{}); got != http.StatusOK {
			t.Errorf("%s: got %d, want 200", path, got)
		}
	}
}

// TestTokenOfATrialThatIsOver: it still learns that it should stop, and reports nothing more. Of a trial
// that is gone the token is worth nothing.
func TestTokenOfATrialThatIsOver(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	if err := r.tell(t.Context(), trial, "0.5"); err != nil {
		t.Fatal(err)
	}
	own := as(token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1))
	path := "/api/v1/namespaces/default/experiments/asked/trials/" + trial
	var answered struct {
		ShouldStop bool
		Reason     string
	}
	r.do(t, http.MethodGet, path+"/should-stop", "", own...).into(t, &answered)
	if !answered.ShouldStop || answered.Reason == "" {
		t.Errorf("should-stop: got %+v, want a reason to stop", answered)
	}
	report := `{"measurements": [{"seq": "9", "metric": "acc", "text": "1"}]}`
	var reported struct {
		AckedSeq   string
		ShouldStop bool
	}
	r.do(t, http.MethodPost, path+"/report", report, own...).into(t, &reported)
	if reported.AckedSeq != "1" || !reported.ShouldStop {
		t.Errorf("report: got %+v, want what was told alone, and to stop", reported)
	}
	r.user(t, http.MethodDelete, "/api/v1/namespaces/default/experiments/asked", "", nil)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, path + "/should-stop", http.StatusOK}, // it says yes
		{http.MethodGet, path, http.StatusNotFound},
		{http.MethodPost, path + "/report", http.StatusNotFound},
		{http.MethodGet, "/api/v1/namespaces/default/experiments/asked/trials/1", http.StatusForbidden}, // of an experiment that may come
	} {
		if got := r.do(t, tt.method, tt.path, "", own...); got.StatusCode != tt.want {
			t.Errorf("%s %s of a trial that is gone: got %s, want %d", tt.method, tt.path, got.Status, tt.want)
		}
	}
}

// TestTokenOfAnEarlierAttempt: who was started anew is told so.
func TestTokenOfAnEarlierAttempt(t *testing.T) {
	r := newRigOf(t, asked(3), func(c *server.Config) { c.Tuner = startedAnew{c.Tuner} })
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	own := as(token(experiment.Key{Namespace: "default", Name: "asked"}, r.uid, trial, 1))
	for _, path := range []string{trial, "1"} {
		a := r.do(t, http.MethodGet, "/api/v1/namespaces/default/experiments/asked/trials/"+path+"/should-stop", "", own...)
		if p := a.problem(t); p.Code != "TRIAL_OVER" {
			t.Errorf("should-stop: got %s, want TRIAL_OVER", a.body)
		}
	}
}

// startedAnew is a tuner each of whose trials is at its second attempt.
type startedAnew struct{ server.Tuner }

func (s startedAnew) LookUp(ctx context.Context, key experiment.Key, trial string) (*experiment.Experiment, experiment.Trial, error) {
	e, found, err := s.Tuner.LookUp(ctx, key, trial)
	found.Attempt++
	return e, found, err
}

// TestWhoMayReport: what opens a stream of measurements is the token in its header, for the attempt alone that
// the first message names.
func TestWhoMayReport(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	foreign := r.ask(t, 1, "").GetTrials()[0].GetName()
	for _, conn := range []*grpc.ClientConn{dial(t, r.tcp), dial(t, "unix:"+r.socket)} {
		for _, c := range r.credentials(trial, foreign, 1) {
			ctx := t.Context()
			if c.header != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.header)
			}
			stream, err := tunedv1.NewAgentServiceClient(conn).Report(ctx)
			if err != nil {
				t.Fatal(err)
			}
			_ = stream.Send(&tunedv1.ReportRequest{Hello: r.hello(trial, 1)})
			_ = stream.CloseSend()
			_, err = stream.Recv()
			want := codes.Unauthenticated
			switch {
			case c.name == "trial":
				want = codes.OK
			case c.genuine, c.name == "none" && strings.HasPrefix(conn.Target(), "unix:"): // the daemon's own user is no agent
				want = codes.PermissionDenied
			}
			if status.Code(err) != want {
				t.Errorf("%s with %s: got %v, want %v", conn.Target(), c.name, err, want)
			}
		}
	}
}

// TestPeersOfOtherUsers: the socket trusts its own user alone, even where others can reach it.
func TestPeersOfOtherUsers(t *testing.T) {
	curl := testenv.Program(t, "curl")
	if os.Geteuid() != 0 {
		testenv.Skip(t, "only root can act as another user")
	}
	r := newRigOf(t, nil)
	for _, path := range []string{filepath.Dir(filepath.Dir(r.socket)), filepath.Dir(r.socket), r.socket} {
		if err := os.Chmod(path, 0o777); err != nil { // so that it is the server that says no
			t.Fatal(err)
		}
	}
	for uid, want := range map[uint32]string{0: "200", 65534: "401"} {
		c := exec.CommandContext(t.Context(), curl, "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", r.socket, "http://localhost/api/v1/version")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		c.Dir = "/"
		if out, err := c.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("user %d: got %s, %v; want %s", uid, out, err, want)
		}
	}
}

// TestPeersOfASocket: the daemon's own user needs no token there; one that is shown is what counts.
func TestPeersOfASocket(t *testing.T) {
	r := newRig(t, 3)
	trial := r.ask(t, 1, "").GetTrials()[0].GetName()
	conn := dial(t, "unix:"+r.socket)
	key := experiment.Key{Namespace: "default", Name: "asked"}
	for name, want := range map[string][2]bool{"": {true, true}, "Bearer wrong": {}, "Bearer " + userToken: {true, true}, "Bearer " + token(key, r.uid, trial, 1): {false, true}} {
		c := credential{header: name, genuine: name != "Bearer wrong"}
		for _, m := range methodsOf(t, tunedv1.TuningService_ServiceDesc) {
			forTrials := slices.Contains(trialMethods, string(m.Name()))
			wanted := want[0] || forTrials && want[1]
			if got := r.allowed(t, conn, m, c, forTrials, trial); got != wanted {
				t.Errorf("%s with %q: allowed %v, want %v", m.Name(), name, got, wanted)
			}
		}
	}
}
