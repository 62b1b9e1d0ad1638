package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// certify returns a certificate of the loopback and what trusts it.
func certify(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestTLS: gRPC and HTTP on one port, with clients that prefer HTTP/2 as browsers do, and nothing older than
// TLS 1.2. The cookie of a browser is for TLS alone.
func TestTLS(t *testing.T) {
	r := newRigOf(t, nil)
	certificate, trusted := certify(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- r.server.ServeTLS(listener, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}()
	t.Cleanup(func() {
		_ = r.server.Shutdown(t.Context())
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	address := listener.Addr().String()
	client := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.Get("https://" + address + r.link(t))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if cookies := response.Cookies(); len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Errorf("cookies: got %v, want one that is for TLS", cookies)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: trusted})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+userToken)
	if v, err := tunedv1.NewTuningServiceClient(conn).GetVersion(ctx, &tunedv1.GetVersionRequest{}); err != nil || v.GetVersion() != "v0.0.0-test" {
		t.Errorf("gRPC: got %v, %v", v, err)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{RootCAs: trusted, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	plain, err := (&http.Client{Transport: &http.Transport{}}).Get("http://" + address + "/healthz")
	if err == nil {
		_ = plain.Body.Close()
		t.Errorf("without TLS: got %s", plain.Status)
	}
}
