package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificate is a TLS certificate in two files, which are read anew when either has changed. While they
// cannot be read, or hold one that is not valid, the certificate is the last one that could and was.
type certificate struct {
	cert, key string // paths
	now       func() time.Time

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed [2]time.Time // of the files when they were read last
	exposed fs.FileMode  // of the key's file, when others can read it; 0 once that was said
	steps   int          // of endsIn that were said of the one that is loaded
	fault   string       // of the files, which was said
}

// endsIn are the times before its end at which a certificate is warned of.
var endsIn = []time.Duration{30 * 24 * time.Hour, 7 * 24 * time.Hour, 24 * time.Hour, 0}

// certificate opens the one of the settings; nil when there is none.
func (c *config) certificate() (*certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	return openCertificate(c.TLSCert, c.TLSKey, time.Now)
}

// openCertificate reads a certificate, also one that is not valid now: warn says so.
func openCertificate(cert, key string, now func() time.Time) (*certificate, error) {
	c := &certificate{cert: cert, key: key, now: now}
	if err := c.refresh(); err != nil {
		return nil, usage("read TLS certificate: %w", err)
	}
	return c, nil
}

// refresh reads the files if they have changed. A valid certificate is not given up for one that is not.
func (c *certificate) refresh() error {
	var changed [2]time.Time
	var mode fs.FileMode
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		changed[i], mode = info.ModTime(), info.Mode().Perm()
	}
	if c.loaded != nil && changed == c.changed {
		return nil
	}
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	switch {
	case err != nil && strings.Contains(err.Error(), "does not match"):
		return fmt.Errorf("%s is not the key of %s", c.key, c.cert)
	case err != nil:
		return fmt.Errorf("%s and %s: %s; want a certificate and its key as PEM", c.cert, c.key, strings.TrimPrefix(err.Error(), "tls: "))
	}
	if fault := c.invalid(loaded.Leaf); fault != "" && c.loaded != nil && c.invalid(c.loaded.Leaf) == "" {
		return fmt.Errorf("%s %s", c.cert, fault)
	}
	c.loaded, c.changed, c.steps = &loaded, changed, 0
	if mode&0o007 != 0 { // a group may be that of those who renew it
		c.exposed = mode
	}
	return nil
}

// invalid says why a certificate is not valid now; "" when it is.
func (c *certificate) invalid(leaf *x509.Certificate) string {
	switch now := c.now(); {
	case now.Before(leaf.NotBefore):
		return "is not valid before " + leaf.NotBefore.UTC().Format(time.RFC3339)
	case now.After(leaf.NotAfter):
		return "has expired at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	return ""
}

// current returns the certificate as it is now. What is wrong with it or its files is logged once.
func (c *certificate) current(log zerolog.Logger) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	fault := ""
	if err := c.refresh(); err != nil {
		fault = plainText(err)
	}
	if fault != "" && fault != c.fault {
		log.Error().Str("reason", fault).Msg("the TLS certificate is not taken; the last one is shown")
	}
	c.fault = fault
	c.warn(log)
	return c.loaded
}

// warn logs what those who use the certificate will meet; c.mu is held.
func (c *certificate) warn(log zerolog.Logger) {
	if c.exposed != 0 {
		log.Warn().Str("file", c.key).Msgf("the TLS key can be read by others (mode %#o); run chmod 600 on it, and replace it if others may have read it", c.exposed)
		c.exposed = 0
	}
	leaf, steps := c.loaded.Leaf, 0
	for _, before := range endsIn {
		if leaf.NotAfter.Sub(c.now()) <= before {
			steps++
		}
	}
	invalid := c.invalid(leaf)
	if invalid != "" {
		steps = len(endsIn)
	}
	if steps <= c.steps {
		return
	}
	c.steps = steps
	if invalid == "" {
		invalid = "expires at " + leaf.NotAfter.UTC().Format(time.RFC3339)
	}
	log.Warn().Str("file", c.cert).Msg("the TLS certificate " + invalid)
}

// end is when the certificate expires.
func (c *certificate) end(log zerolog.Logger) time.Time { return c.current(log).Leaf.NotAfter }

// names are the host names that the certificate is for; none of nil.
func (c *certificate) names() []string {
	if c == nil {
		return nil
	}
	return c.loaded.Leaf.DNSNames
}

// config is a TLS configuration that shows the certificate as it is at each connection.
func (c *certificate) config(log zerolog.Logger) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return c.current(log), nil
	}}
}
