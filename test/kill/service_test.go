package kill_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// service is `tuned serve` as users start it: on its socket, and over TLS for who has the token.
type service struct {
	*daemon
	data, address, cert, key string
	token                    string
	pool                     *x509.CertPool
}

// newService prepares one that listens on a port of this machine.
func newService(t *testing.T, dir string) *service {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s := &service{data: filepath.Join(dir, "data"), address: address, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	s.certify(t)
	return s
}

// certify makes a certificate that nobody else has signed.
func (s *service) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, is, is, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(
		os.WriteFile(s.cert, cert, 0o600),
		os.WriteFile(s.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s.pool = x509.NewCertPool()
	s.pool.AppendCertsFromPEM(cert)
}

// start begins a life.
func (s *service) start(t *testing.T) {
	t.Helper()
	s.daemon = begin(t, "serve", "--data-dir", s.data, "--listen", s.address, "--tls-cert", s.cert, "--tls-key", s.key)
	for deadline := time.After(time.Minute); s.token == ""; {
		if text, err := os.ReadFile(filepath.Join(s.data, "token")); err == nil {
			s.token = strings.TrimSpace(string(text))
		}
		select {
		case <-s.exited:
			t.Fatalf("serve: %v\n%s", s.err, s.output.String())
		case <-deadline:
			t.Fatal("serve makes no token")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// caller calls methods of TuningService. An error is a *failure.
type caller interface {
	call(ctx context.Context, method string, in, out proto.Message) error
	close()
}

// failure is why a call has no result.
type failure struct {
	reason string // of the API; "" when no answer came
	unsent bool   // nobody was there to take the call
	cause  error
}

func (f *failure) Error() string { return fmt.Sprintf("%s %v", f.reason, f.cause) }

// callers returns one for each way to the daemon: gRPC and HTTP, over TLS and the socket.
func (s *service) callers(t *testing.T) []caller {
	t.Helper()
	socket := filepath.Join(s.data, "tuned.sock")
	encrypted := &tls.Config{RootCAs: s.pool, MinVersion: tls.VersionTLS13}
	redial := grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}})
	overTLS, err1 := grpc.NewClient(s.address, redial, grpc.WithTransportCredentials(credentials.NewTLS(encrypted)), grpc.WithPerRPCCredentials(bearer(s.token)))
	local, err2 := grpc.NewClient("unix:"+socket, redial, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return []caller{
		&overGRPC{overTLS},
		&overHTTP{"https://" + s.address, s.token, &http.Transport{TLSClientConfig: encrypted, ForceAttemptHTTP2: true}},
		&overGRPC{local},
		&overHTTP{"http://localhost", "", &http.Transport{DialContext: dial}},
	}
}

// bearer shows a token.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

type overGRPC struct{ conn *grpc.ClientConn }

func (c *overGRPC) close() { _ = c.conn.Close() }

func (c *overGRPC) call(ctx context.Context, method string, in, out proto.Message) error {
	err := c.conn.Invoke(ctx, "/tuned.v1.TuningService/"+method, in, out, grpc.WaitForReady(true))
	if err == nil {
		return nil
	}
	f := &failure{cause: err}
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			f.reason = info.GetReason()
		}
	}
	return f
}

type overHTTP struct {
	base, token string
	transport   *http.Transport
}

func (c *overHTTP) close() { c.transport.CloseIdleConnections() }

// routes are the methods' verbs and paths, with fields of the request between braces.
var routes = map[string]string{
	"CreateExperiment":   "POST /api/v1/namespaces/{namespace}/experiments",
	"GetExperiment":      "GET /api/v1/namespaces/{namespace}/experiments/{name}",
	"DeleteExperiment":   "DELETE /api/v1/namespaces/{namespace}/experiments/{name}",
	"PauseExperiment":    "POST /api/v1/namespaces/{namespace}/experiments/{name}/pause",
	"ResumeExperiment":   "POST /api/v1/namespaces/{namespace}/experiments/{name}/resume",
	"StopExperiment":     "POST /api/v1/namespaces/{namespace}/experiments/{name}/stop",
	"ExtendExperiment":   "POST /api/v1/namespaces/{namespace}/experiments/{name}/extend",
	"AnnotateExperiment": "POST /api/v1/namespaces/{namespace}/experiments/{name}/annotate",
	"ListTrials":         "GET /api/v1/namespaces/{namespace}/experiments/{experiment}/trials?pageSize=1000",
	"EnqueueTrial":       "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/trials",
	"StopTrial":          "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/trials/{trial}/stop",
	"Ask":                "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/ask",
	"Tell":               "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/trials/{trial}/tell",
	"Tell unasked":       "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/tell",
	"ReportTrial":        "POST /api/v1/namespaces/{namespace}/experiments/{experiment}/trials/{trial}/report",
	"ShouldStop":         "GET /api/v1/namespaces/{namespace}/experiments/{experiment}/trials/{trial}/should-stop",
}

var field = regexp.MustCompile(`{\w+}`)

// request makes a call an HTTP request.
func (c *overHTTP) request(ctx context.Context, method string, in proto.Message) (*http.Request, error) {
	text, err := protojson.Marshal(in)
	fields := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil {
		return nil, err
	}
	if method == "Tell" && fields["trial"] == nil {
		method = "Tell unasked"
	}
	verb, path, _ := strings.Cut(routes[method], " ")
	path = field.ReplaceAllStringFunc(path, func(name string) string {
		name = strings.Trim(name, "{}")
		value := fmt.Sprint(fields[name])
		delete(fields, name)
		return url.PathEscape(value)
	})
	var body io.Reader
	if verb == http.MethodPost {
		if text, err = json.Marshal(fields); err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, verb, c.base+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	return r, nil
}

func (c *overHTTP) call(ctx context.Context, method string, in, out proto.Message) error {
	r, err := c.request(ctx, method, in)
	if err != nil {
		return &failure{reason: "no request", cause: err}
	}
	response, err := (&http.Client{Transport: c.transport}).Do(r)
	if err != nil {
		var dialing *net.OpError
		return &failure{cause: err, unsent: errors.As(err, &dialing) && dialing.Op == "dial"}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return &failure{cause: err}
	}
	if response.StatusCode == http.StatusOK {
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, out)
	}
	var problem struct{ Code, Message string }
	if err := json.Unmarshal(text, &problem); err != nil {
		return &failure{reason: "no JSON", cause: fmt.Errorf("%s: %w", text, err)}
	}
	return &failure{reason: problem.Code, cause: errors.New(problem.Message)}
}
