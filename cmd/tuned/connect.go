package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/store"
	"github.com/tuned-hpo/tuned/pkg/store/badger"
)

// place says where a command finds experiments: at the daemon that --server names, else at the one that
// has the data directory, else in the data directory itself, when it is at rest.
type place struct {
	server    string
	tokenFile string
	caFile    string
	dataDir   string
	namespace string

	getenv func(string) string
	given  func(flag string) bool // whether a flag was given
	here   bool                   // the data directory alone is meant, whatever the environment says
}

// flags adds the flags that say where.
func (p *place) flags(c *cobra.Command, getenv func(string) string) {
	p.connectionFlags(c, getenv)
	c.Flags().StringVarP(&p.namespace, "namespace", "n", defaultNamespace, "`NAMESPACE` of the experiment")
	p.completeNamespace(c)
}

// connectionFlags adds the flags that say which daemon is meant.
func (p *place) connectionFlags(c *cobra.Command, getenv func(string) string) {
	p.dataFlag(c, getenv)
	p.here = false
	s := c.Flags()
	s.StringVar(&p.server, "server", "", "`URL` of a daemon, such as https://host:8080; default $TUNED_SERVER, else the daemon of the data directory")
	s.StringVar(&p.tokenFile, "token-file", "", "`FILE` that holds the daemon's token; default $TUNED_TOKEN_FILE or $TUNED_TOKEN")
	s.StringVar(&p.caFile, "ca-file", "", "PEM `FILE` with the certificates to trust, in place of the system's; default $TUNED_CA_FILE")
}

// dataFlag adds the flag of commands that work on a data directory alone.
func (p *place) dataFlag(c *cobra.Command, getenv func(string) string) {
	p.here = true
	p.getenv, p.given = getenv, func(flag string) bool { return c.Flags().Changed(flag) }
	c.Flags().StringVar(&p.dataDir, "data-dir", defaultDataDir(getenv), "folder `DIR` that holds all state")
}

const defaultNamespace = "default"

// key is the experiment of a name, or of NAMESPACE/NAME.
func (p *place) key(name string) experiment.Key {
	if namespace, name, ok := strings.Cut(name, "/"); ok {
		return experiment.Key{Namespace: namespace, Name: name}
	}
	return experiment.Key{Namespace: p.namespace, Name: name}
}

// env returns a flag's value, else that of a variable.
func (p *place) env(flag, variable string) string {
	if flag != "" {
		return flag
	}
	return p.getenv(variable)
}

// address returns the URL of the daemon that was named; "" when the data directory decides. A --data-dir
// that was given wins over the environment.
func (p *place) address() string {
	if p.here || p.server == "" && p.given != nil && p.given("data-dir") {
		return ""
	}
	return p.env(p.server, "TUNED_SERVER")
}

// client is a connection to the API.
type client struct {
	tunedv1.TuningServiceClient
	at      *place // where it was found; nil of the daemon itself, where nobody types commands
	daemon  bool   // a daemon answers, not this process
	dataDir string
	close   func() error
}

// Close ends the connection.
func (c *client) Close() error { return c.close() }

// open connects to the daemon, or to a server in this process when the data directory is at rest.
func (p *place) open(ctx context.Context) (*client, error) {
	return p.at(p.reach(ctx))
}

// at says of a connection where it was found.
func (p *place) at(c *client, err error) (*client, error) {
	if err == nil {
		c.at = p
	}
	return c, err
}

func (p *place) reach(ctx context.Context) (*client, error) {
	if address := p.address(); address != "" {
		return p.dial(address)
	}
	d, err := p.dir()
	if err != nil {
		return nil, err
	}
	if d.served() {
		return d.dial()
	}
	s, err := openStore(ctx, d, badger.Options{ReadOnly: true})
	if errors.Is(err, store.ErrLocked) && d.served() {
		return d.dial()
	}
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w; reading takes a lock there: mount %s writable, run as its owner, or copy it and give the copy as --data-dir; "+
			"of a daemon that has it elsewhere give the --server", err, d)
	}
	if err != nil {
		return nil, err
	}
	return d.serveInside(s) //nolint:contextcheck // making a server begins nothing that a context should end
}

// openDaemon is open for what only a daemon that goes on can do.
func (p *place) openDaemon(ctx context.Context) (*client, error) {
	c, err := p.open(ctx)
	if err != nil || c.daemon {
		return c, err
	}
	return nil, errors.Join(p.noDaemon(), c.Close())
}

var errNoDaemon = errors.New("no daemon has the data directory")

// reading calls f with a connection, and again when the daemon that answered has ended meanwhile.
func (p *place) reading(ctx context.Context, f func(c *client) error) error {
	for end := time.Now().Add(patience); ; {
		c, err := p.open(ctx)
		if err != nil {
			return err
		}
		err = f(c)
		if err = errors.Join(err, c.Close()); !errors.Is(err, errEnded) || time.Now().After(end) || p.address() != "" {
			return err
		}
	}
}

// asking calls f with a connection to a daemon.
func (p *place) asking(ctx context.Context, f func(c *client) error) error {
	c, err := p.openDaemon(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close())
}

// dir returns the data directory, which must exist.
func (p *place) dir() (dataDir, error) {
	if p.dataDir == "" {
		return "", usage("find data directory: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	}
	d := dataDir(absolute(p.dataDir))
	switch _, err := os.Stat(d.store()); {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("open data directory: %w; run as its owner, or give another --data-dir", err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("open data directory: %w; give another --data-dir", err)
	case err != nil:
		return "", fmt.Errorf("open data directory %s: nothing has been run there; give the --data-dir of the run, or begin with %s",
			d, p.hintServe())
	}
	return d, nil
}

// dial connects to the daemon at an address.
func (p *place) dial(address string) (*client, error) {
	target, secure, err := targetOf(address)
	if err != nil {
		return nil, err
	}
	token, source, err := p.token()
	if err != nil {
		return nil, err
	}
	transport := insecure.NewCredentials()
	switch {
	case secure:
		trusted, err := p.trust()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(trusted)
	case token != "" && !near(target):
		return nil, inClear(address)
	}
	return connect(target, refused{address, source}, grpc.WithTransportCredentials(transport), grpc.WithPerRPCCredentials(bearer(token)))
}

// targetOf turns unix:PATH, a URL or HOST:PORT into what gRPC connects to.
func targetOf(address string) (target string, secure bool, err error) {
	if strings.HasPrefix(address, "unix:") {
		return address, false, nil
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return "", false, usage("server %q: want http://HOST:PORT, https://HOST:PORT or unix:PATH", address)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return "dns:///" + u.Host, u.Scheme == "https", nil
}

// near reports whether a target is this machine.
func near(target string) bool {
	if strings.HasPrefix(target, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(target, "dns:///"))
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// trust says which certificates of daemons are trusted.
func (p *place) trust() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if file := p.env(p.caFile, "TUNED_CA_FILE"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, usage("read certificates to trust: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, usage("read certificates to trust: %s holds no certificate in PEM", file)
		}
	}
	return c, nil
}

// token returns the token to show and where it comes from; "" for none. A flag wins over the environment.
func (p *place) token() (token, source string, err error) {
	if text := strings.TrimSpace(p.getenv("TUNED_TOKEN")); p.tokenFile == "" && text != "" {
		return text, "$TUNED_TOKEN", nil
	}
	file := p.env(p.tokenFile, "TUNED_TOKEN_FILE")
	if file == "" {
		return "", "", nil
	}
	source = "--token-file " + file
	if p.tokenFile == "" {
		source = "$TUNED_TOKEN_FILE, " + file + ","
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", usage("read token: %w", err)
	}
	if token = strings.TrimSpace(string(text)); token == "" || strings.ContainsFunc(token, unicode.IsControl) {
		return "", "", usage("read token: %s holds no token, which is one line of text", file)
	}
	return token, source, nil
}

// bearer shows a token with every call; "" shows none.
type bearer string

// GetRequestMetadata returns the header.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false: dial decides whom a token is shown to.
func (bearer) RequireTransportSecurity() bool { return false }

// connect makes a connection that is used at the first call.
func connect(target string, words refused, options ...grpc.DialOption) (*client, error) {
	options = append(slices.Concat(options, words.options(), textAlone()), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30)))
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", target, err)
	}
	return &client{TuningServiceClient: tunedv1.NewTuningServiceClient(conn), daemon: true, close: conn.Close}, nil
}

// dial connects to the daemon of a data directory, which knows its own user by the socket.
func (d dataDir) dial() (*client, error) {
	socket, err := d.socket()
	if err != nil {
		return nil, err
	}
	c, err := connect("unix:"+socket, refused{address: "unix:" + socket}, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		c.dataDir = string(d)
	}
	return c, err
}

// served reports whether a daemon listens for the data directory.
func (d dataDir) served() bool {
	socket, err := d.socket()
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("unix", socket, turn)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
