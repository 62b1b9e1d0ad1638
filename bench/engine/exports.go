package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// exports measures how long all trials of a large experiment take over HTTP: as files, and as a list.
func (b *bench) exports(ctx context.Context) error {
	dir, err := b.newDir()
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	fmt.Fprintf(b.progress, "  filling in %d trials and %d observations\n", b.trials, b.trials*b.perTrial)
	if err := b.fill(ctx, filepath.Join(data, "store"), spec(1, b.trials+1)); err != nil {
		return fmt.Errorf("fill in: %w", err)
	}
	alive, s, err := b.serveIn(ctx, data, false)
	if err != nil {
		return err
	}
	defer s.end()
	r, err := s.reader(alive)
	if err != nil {
		return err
	}
	for _, fetch := range []struct {
		name string
		all  func(ctx context.Context) (trials, size int, err error)
	}{
		{"csv", r.lines("csv", 1)},
		{"json", r.count("json", `"finishNo":`)},
		{"parquet", r.count("parquet", "")},
		{"optuna-journal", r.count("optuna-journal", `"op_code":4`)},
		{"list", r.list},
	} {
		fmt.Fprintf(b.progress, "  as %s\n", fetch.name)
		if err := b.export(alive, s, fetch.name, fetch.all); err != nil {
			return fmt.Errorf("%s: %w", fetch.name, err)
		}
	}
	return nil
}

// export measures one way to have all trials.
func (b *bench) export(ctx context.Context, s *service, name string, all func(context.Context) (trials, size int, err error)) error {
	before, err := cpuOf(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	began := time.Now()
	trials, size, err := all(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if trials != b.trials && trials >= 0 {
		return fmt.Errorf("%d trials came, want %d", trials, b.trials)
	}
	after, err := cpuOf(s.cmd.Process.Pid)
	if err != nil {
		return err
	}
	own, peak, err := s.memory()
	if err != nil {
		return err
	}
	b.add("exports", fmt.Sprintf("%d trials as %s", b.trials, name),
		milliseconds("until all is there", took), milliseconds("CPU time", after-before), mebibytes("size", int64(size)),
		mebibytes("RssAnon afterwards", own), mebibytes("VmHWM until then", peak))
	return nil
}

// reader asks the service over HTTP.
type reader struct {
	client *http.Client
	base   string // of the experiment
	token  string
}

// reader waits until the service answers.
func (s *service) reader(ctx context.Context) (*reader, error) {
	conn, user, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := getExperiment(user, tunedv1.NewTuningServiceClient(conn)); err != nil {
		return nil, err
	}
	token, err := s.token(ctx)
	return &reader{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}},
		base:   "https://" + s.address + "/api/v1/namespaces/" + key.Namespace + "/experiments/" + key.Name,
		token:  token,
	}, err
}

// get returns an answer.
func (r *reader) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return text, err
}

// count fetches a file in which each trial has a word; -1 trials where it has none.
func (r *reader) count(format, word string) func(context.Context) (trials, size int, err error) {
	return func(ctx context.Context) (int, int, error) {
		text, err := r.get(ctx, "/export?format="+format)
		if word == "" {
			return -1, len(text), err
		}
		return bytes.Count(text, []byte(word)), len(text), err
	}
}

// lines fetches a file with a line per trial below a head.
func (r *reader) lines(format string, head int) func(context.Context) (trials, size int, err error) {
	return func(ctx context.Context) (int, int, error) {
		trials, size, err := r.count(format, "\n")(ctx)
		return trials - head, size, err
	}
}

// list fetches all pages of the list of trials.
func (r *reader) list(ctx context.Context) (trials, size int, err error) {
	for token := ""; ; {
		text, err := r.get(ctx, "/trials?pageSize=1000&pageToken="+url.QueryEscape(token))
		if err != nil {
			return 0, 0, err
		}
		var page struct {
			Trials        []json.RawMessage `json:"trials"`
			NextPageToken string            `json:"nextPageToken"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return 0, 0, err
		}
		trials, size = trials+len(page.Trials), size+len(text)
		if token = page.NextPageToken; token == "" {
			return trials, size, nil
		}
	}
}
