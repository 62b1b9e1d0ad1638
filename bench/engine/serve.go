package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// service is a daemon that serves over TCP with TLS, and how a client reaches it.
type service struct {
	*daemon
	address string
	roots   *x509.CertPool
}

// serve starts tuned serve in a data directory of its own, bound to one core when oneCore is set. The
// context ends with the process. The caller calls end.
func (b *bench) serve(ctx context.Context, oneCore bool) (context.Context, *service, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, nil, err
	}
	return b.serveIn(ctx, filepath.Join(dir, "data"), oneCore)
}

// serveIn is serve in a given data directory.
func (b *bench) serveIn(ctx context.Context, data string, oneCore bool) (context.Context, *service, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, nil, err
	}
	certificate, key := filepath.Join(data, "cert.pem"), filepath.Join(data, "key.pem")
	roots, err := selfSigned(certificate, key)
	if err != nil {
		return nil, nil, err
	}
	address, err := freePort(ctx)
	if err != nil {
		return nil, nil, err
	}
	argv := []string{
		filepath.Join(b.bin, "tuned"), "serve", "--data-dir", data, "--listen", address,
		"--tls-cert", certificate, "--tls-key", key,
	}
	if oneCore {
		argv = append([]string{"taskset", "-c", "0"}, argv...)
	}
	alive, d, err := b.launch(ctx, data, argv, "")
	return alive, &service{daemon: d, address: address, roots: roots}, err
}

// connect connects to the service as a user: the token is the one of the data directory, which the daemon
// makes when it first starts.
func (s *service) connect(ctx context.Context) (*grpc.ClientConn, context.Context, error) {
	conn, err := s.agentConn()
	if err != nil {
		return nil, nil, err
	}
	token, err := s.token(ctx)
	return conn, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), err
}

// token waits for the token that the daemon makes.
func (s *service) token(ctx context.Context) (string, error) {
	return ready(ctx, func(context.Context) (string, error) {
		text, err := os.ReadFile(filepath.Join(s.data, "token"))
		if errors.Is(err, fs.ErrNotExist) {
			err = status.Error(codes.Unavailable, "the daemon has no token yet")
		}
		return strings.TrimSpace(string(text)), err
	})
}

// agentConn opens a connection of its own over TLS.
func (s *service) agentConn() (*grpc.ClientConn, error) {
	return grpc.NewClient(s.address, grpc.WithTransportCredentials(
		credentials.NewTLS(&tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12})))
}

// newLoad creates an experiment with a trial for each stream, and opens the streams, each over a connection
// of its own. They end with ctx. The caller calls close.
func (s *service) newLoad(ctx context.Context, user context.Context, conn *grpc.ClientConn, streams, size int) (l *load, err error) {
	users := tunedv1.NewTuningServiceClient(conn)
	_, err = ready(user, func(ctx context.Context) (*tunedv1.Experiment, error) {
		return users.CreateExperiment(ctx, &tunedv1.CreateExperimentRequest{Manifest: spec(streams, streams)}, grpc.WaitForReady(true))
	})
	if err != nil {
		return nil, err
	}
	l = &load{daemon: s.daemon, streams: streams, size: size}
	for range streams {
		agent, err := s.agentConn()
		if err != nil {
			return l, err
		}
		l.conns = append(l.conns, agent)
	}
	return l, l.openAll(ctx, user, conn)
}

// memory returns what the daemon has of its own now, and the most that it ever had, in bytes.
func (s *service) memory() (own, peak int64, err error) {
	if own, err = memoryOf(s.cmd.Process.Pid, "RssAnon"); err != nil {
		return 0, 0, err
	}
	peak, err = memoryOf(s.cmd.Process.Pid, "VmHWM")
	return own, peak, err
}

// selfSigned writes a certificate for 127.0.0.1 and its key, and returns whom to trust.
func selfSigned(certificate, key string) (*x509.CertPool, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tuned bench"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(certificate, public, 0o600); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return roots, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}

// freePort returns an address of this machine that nobody listens at.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(l.Addr()), l.Close()
}
