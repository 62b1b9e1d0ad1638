package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestTargets(t *testing.T) {
	tests := []struct {
		address, target string
		secure, near    bool
		refused         string
	}{
		{"unix:/run/tuned.sock", "unix:/run/tuned.sock", false, true, ""},
		{"http://127.0.0.1:8080", "dns:///127.0.0.1:8080", false, true, ""},
		{"localhost:8080", "dns:///localhost:8080", false, true, ""},
		{"http://[::1]:8080/", "dns:///[::1]:8080", false, true, ""},
		{"https://tuner.example.org", "dns:///tuner.example.org:443", true, false, ""},
		{"http://10.0.0.1:80", "dns:///10.0.0.1:80", false, false, ""},
		{"ftp://host", "", false, false, "want http://HOST:PORT"},
		{"http://host/path", "", false, false, "want http://HOST:PORT"},
		{"http://", "", false, false, "want http://HOST:PORT"},
		{"http://a b", "", false, false, "want http://HOST:PORT"},
	}
	for _, tt := range tests {
		t.Run(tt.address, func(t *testing.T) {
			target, secure, err := targetOf(tt.address)
			if tt.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tt.refused) {
					t.Errorf("got %v, want an error about %q", err, tt.refused)
				}
				return
			}
			if err != nil || target != tt.target || secure != tt.secure || near(target) != tt.near {
				t.Errorf("got %q, secure %t, near %t, %v", target, secure, near(target), err)
			}
		})
	}
}

// TestTokenIsNotSentInClear refuses before anything is sent.
func TestTokenIsNotSentInClear(t *testing.T) {
	p := &place{server: "http://192.0.2.1:8080", getenv: func(name string) string {
		return map[string]string{"TUNED_TOKEN": "secret"}[name]
	}}
	if _, err := p.open(t.Context()); err == nil || !strings.Contains(err.Error(), "use https") {
		t.Errorf("got %v, want a refusal", err)
	}
	p.server = "https://192.0.2.1:8080"
	c, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestTokenOfTheEnvironment leaves out white space around a token; where there is nothing else there is no token.
func TestTokenOfTheEnvironment(t *testing.T) {
	for text, want := range map[string]string{"secret": "secret", " secret\r\n": "secret", " \n": ""} {
		p := &place{getenv: func(name string) string { return map[string]string{"TUNED_TOKEN": text}[name] }}
		if token, _, err := p.token(); err != nil || token != want {
			t.Errorf("%q: got %q, %v, want %q", text, token, err, want)
		}
	}
}

// writeCertificate makes a certificate for localhost that signs itself and is valid now.
func writeCertificate(t *testing.T, dir, serial string) (cert, key string) {
	t.Helper()
	return writeCertificateOf(t, dir, serial, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
}

// writeCertificateOf makes one that is valid for a time.
func writeCertificateOf(t *testing.T, dir, serial string, from, to time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	number, _ := new(big.Int).SetString(serial, 10)
	template := &x509.Certificate{
		SerialNumber: number, Subject: pkix.Name{CommonName: "tuned"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestServeWithTLS reaches a daemon by https, before and after its certificate is renewed.
func TestServeWithTLS(t *testing.T) {
	dir := writeExperiment(t)
	cert, key := writeCertificate(t, dir, "1")
	s := startServe(t, dir, "--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("url = %q, want https", s.url)
	}
	get := []string{"get", "-A", "-o", "name", "--server", s.url, "--token-file", "d/token"}
	if _, refused := call(t, dir, exitError, get...); !strings.Contains(refused, "certificate") {
		t.Errorf("a client that does not trust it says %q", refused)
	}
	call(t, dir, exitOK, append(get, "--ca-file", "tls.crt")...)
	old, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "old.crt"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir, "2")
	later := time.Now().Add(time.Hour) // however coarse the clock of the file system is
	for _, path := range []string{cert, key} {
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	call(t, dir, exitOK, append(get, "--ca-file", "tls.crt")...)
	call(t, dir, exitError, append(get, "--ca-file", "old.crt")...)
	s.exits(exitOK, syscall.SIGTERM)
}

// TestSchemeOfTheOther asks by http who speaks https, and the reverse: both are said, and what to give.
func TestSchemeOfTheOther(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			dir := writeExperiment(t)
			var args []string
			if scheme == "https" {
				cert, key := writeCertificate(t, dir, "1")
				args = []string{"--tls-cert", cert, "--tls-key", key}
			}
			s := startServe(t, dir, args...)
			host := strings.TrimPrefix(s.url, scheme+"://")
			asked := "https://" + host
			want := "it speaks http, and was asked by https: give --server http://" + host + "\n"
			if scheme == "https" {
				asked = "http://" + host
				want = "it ended the connection as one does that speaks https and was asked by http: if so, give --server https://" + host + "\n"
			}
			for _, words := range [][]string{{"get"}, {"get", "--watch"}, {"store", "backup", "b"}} {
				_, got := call(t, dir, exitError, append(words, "--token-file", "d/token", "--server", asked)...)
				if !strings.HasSuffix(got, "the daemon does not answer at "+asked+": "+want) {
					t.Errorf("%v by %s is told %q, want %q", words, asked, got, want)
				}
			}
			s.exits(exitOK, syscall.SIGTERM)
		})
	}
}

func TestListenRefuses(t *testing.T) {
	tests := []struct {
		name, want string
		change     func(*config)
	}{
		{"loopback", "", func(c *config) { c.Listen = "127.0.0.1:1" }},
		{"its name", "", func(c *config) { c.Listen = "localhost:1" }},
		{"loopback of IPv6", "", func(c *config) { c.Listen = "[::1]:1" }},
		{"none", "", func(c *config) { c.Listen = "none" }},
		{"all addresses", "can be reached from other machines", func(c *config) { c.Listen = "0.0.0.0:1" }},
		{"all addresses in short", "can be reached from other machines", func(c *config) { c.Listen = ":1" }},
		{"a name", "can be reached from other machines", func(c *config) { c.Listen = "tuner.example.org:1" }},
		{"all, insecurely", "", func(c *config) { c.Listen, c.InsecureListen = ":1", true }},
		{"all with TLS", "", func(c *config) { c.Listen, c.TLSCert, c.TLSKey = ":1", "c", "k" }},
		{"half of TLS", "give both or none", func(c *config) { c.TLSCert = "c" }},
		{"no port", "want HOST:PORT or none", func(c *config) { c.Listen = "127.0.0.1" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := defaultConfig(homeEnv)
			tt.change(&c)
			err := c.validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestUserToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	made, err := userToken(file)
	if err != nil || len(made) != 64 {
		t.Fatalf("got %q, %v; want 64 characters", made, err)
	}
	if again, err := userToken(file); err != nil || again != made {
		t.Errorf("got %q, %v; want the same again", again, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := userToken(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a token that others can read: got %v", err)
	}
	if err := os.WriteFile(file, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(file, 0o600)
	if _, err := userToken(file); err == nil || !strings.Contains(err.Error(), "5 characters") {
		t.Errorf("a short token: got %v", err)
	}
}
