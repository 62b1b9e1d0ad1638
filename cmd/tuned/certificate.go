package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificate is a TLS certificate in two files, which are read anew when either has changed. While they
// cannot be read, the certificate is the last one that could.
type certificate struct {
	cert, key string // paths

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed [2]time.Time // of the files when they were read last
}

// certificate opens the one of the settings; nil when there is none.
func (c *config) certificate() (*certificate, error) {
	if c.TLSCert == "" {
		return nil, nil
	}
	return openCertificate(c.TLSCert, c.TLSKey)
}

func openCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	if err := c.refresh(); err != nil {
		return nil, usage("read TLS certificate: %w", err)
	}
	return c, nil
}

// refresh reads the files if they have changed.
func (c *certificate) refresh() error {
	var changed [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		changed[i] = info.ModTime()
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
	c.loaded, c.changed = &loaded, changed
	return nil
}

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
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := c.refresh(); err != nil {
			log.Error().Err(err).Msg("the TLS certificate cannot be read; the last one is shown")
		}
		return c.loaded, nil
	}}
}
