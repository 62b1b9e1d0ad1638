package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// largestProblem bounds what is read of an answer that is an error, in bytes.
const largestProblem = 64 << 10

// download writes what the daemon gives under a path of its HTTP API.
func (p *place) download(ctx context.Context, path string, to io.Writer) error {
	hc, base, token, err := p.http()
	if err != nil {
		return err
	}
	defer hc.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := hc.Do(request)
	if err != nil {
		return p.outage(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		_, err = io.Copy(to, response.Body)
		return err
	}
	var problem struct{ Message string }
	text, err := io.ReadAll(io.LimitReader(response.Body, largestProblem))
	if err = errors.Join(err, json.Unmarshal(text, &problem)); err != nil {
		return fmt.Errorf("the daemon answers %s", response.Status)
	}
	return errors.New(visible(problem.Message))
}

// outage is the error of a request that got no answer.
func (p *place) outage(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	text := plainText(err)
	if errors.Is(err, io.EOF) {
		text = endedAtOnce
	}
	if address := p.address(); address != "" {
		return fmt.Errorf("%w at %s: %s", errEnded, address, refused{address: address}.outageText(text))
	}
	return fmt.Errorf("%w: %w", errEnded, err)
}

// http returns a client of the daemon's HTTP API, where that begins, and the token to show.
func (p *place) http() (hc *http.Client, base, token string, err error) {
	address := p.address()
	if address == "" {
		socket, err := dataDir(absolute(p.dataDir)).socket()
		if err != nil {
			return nil, "", "", err
		}
		address = "unix:" + socket
	}
	target, secure, err := targetOf(address)
	if err != nil {
		return nil, "", "", err
	}
	if token, _, err = p.token(); err != nil {
		return nil, "", "", err
	}
	transport := &http.Transport{}
	if socket, ok := strings.CutPrefix(target, "unix:"); ok {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}
		return &http.Client{Transport: transport}, "http://localhost", token, nil
	}
	base = "http://" + strings.TrimPrefix(target, "dns:///")
	switch {
	case secure:
		base = "https" + strings.TrimPrefix(base, "http")
		if transport.TLSClientConfig, err = p.trust(); err != nil {
			return nil, "", "", err
		}
	case token != "" && !near(target):
		return nil, "", "", inClear(address)
	}
	return &http.Client{Transport: transport}, base, token, nil
}

// inClear refuses to show a token where others could read it.
func inClear(address string) error {
	return usage("connect to %s: over http the token could be read on its way; use https", address)
}
