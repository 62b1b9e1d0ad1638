package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/exchange"
	"github.com/tuned-hpo/tuned/pkg/exchange/report"
	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// files gives what tuned export and tuned report write, to whoever may read the experiment: it reads it as
// the caller, by the same calls as those commands.
type files struct {
	*daemon
	client *client
	turns  chan struct{} // held while a file is made, for which the experiment is in memory
}

// filesAtOnce is how many files the daemon makes at the same time; others wait.
const filesAtOnce = 2

// giveFiles adds the routes.
func (d *daemon) giveFiles() {
	f := &files{d, &client{TuningServiceClient: d.server.Client(), daemon: true}, make(chan struct{}, filesAtOnce)}
	const path = "GET /api/v1/namespaces/{namespace}/experiments/{experiment}/"
	d.server.Handle(path+"export", f.handler(f.export))
	d.server.Handle(path+"report", f.handler(f.report))
}

// file is what an answer holds.
type file struct {
	name, kind string // Content-Type
	policy     string // Content-Security-Policy of what browsers show; "": they save it
	write      func(io.Writer) error
}

// begun is a file for which all is there that others must not wait for. It makes the file, in its turn.
type begun func(context.Context) (*file, error)

// handler gives the file that begin begins.
func (f *files) handler(begin func(context.Context, experiment.Key, *http.Request) (begun, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := experiment.Key{Namespace: r.PathValue("namespace"), Name: r.PathValue("experiment")}
		finish, err := begin(r.Context(), key, r)
		var out *file
		if err == nil {
			select {
			case f.turns <- struct{}{}:
				defer func() { <-f.turns }()
			case <-r.Context().Done():
				return
			}
			out, err = finish(r.Context())
		}
		if said := (*refusal)(nil); errors.As(err, &said) {
			err = said.status.Err() // without what to type
		}
		if err != nil {
			f.server.Refuse(w, r, err)
			return
		}
		out.give(w)
	})
}

// give sends a file. One that fails half way is cut off, which the reader sees.
func (f *file) give(w http.ResponseWriter) {
	disposition := "attachment"
	if f.policy != "" {
		disposition = "inline"
		w.Header().Set("Content-Security-Policy", f.policy)
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": f.name}))
	out := bufio.NewWriterSize(&unhurried{w, http.NewResponseController(w)}, fileBuffer)
	if err := errors.Join(f.write(out), out.Flush()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

const (
	fileBuffer = 64 << 10         // bytes
	fileStall  = 30 * time.Second // that a reader may take for them
)

// unhurried writes an answer that may take longer than others, as long as it is read.
type unhurried struct {
	to      io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (u *unhurried) Write(part []byte) (int, error) {
	_ = u.control.SetWriteDeadline(time.Now().Add(fileStall)) // a recorder in a test has none
	return u.to.Write(part)
}

// exportKinds are the formats of an export: their media types and the ends of their files' names.
var exportKinds = map[string][2]string{
	exchange.CSV:     {"text/csv; charset=utf-8", ".csv"},
	exchange.JSON:    {"application/json", ".json"},
	exchange.Parquet: {"application/vnd.apache.parquet", ".parquet"},
	exchange.Journal: {"application/x-ndjson", ".log"},
}

// export makes the file of tuned export.
func (f *files) export(_ context.Context, key experiment.Key, r *http.Request) (begun, error) {
	given := r.URL.Query().Get("format")
	format := exchange.Named(cmp.Or(given, exchange.CSV))
	if !slices.Contains(exchange.Formats, format) {
		return nil, fmt.Errorf("format %q: want one of %s: %w", given, strings.Join(exchange.Formats, ", "), tuner.ErrInvalid)
	}
	return func(ctx context.Context) (*file, error) {
		s, err := f.client.study(ctx, key, format)
		if err != nil {
			return nil, err
		}
		kind := exportKinds[format]
		return &file{
			name: key.Name + kind[1], kind: kind[0],
			write: func(w io.Writer) error { return exchange.Write(w, format, s) },
		}, nil
	}, nil
}

// reportPolicy is what the page of a report needs: its own styles, and nothing else. It is no page of the
// daemon's origin.
var reportPolicy = strings.Join([]string{
	"default-src 'none'", "style-src 'unsafe-inline'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "sandbox",
}, "; ")

// report makes the page of tuned report. No turn is taken while its model is made, which may take long.
func (f *files) report(ctx context.Context, key experiment.Key, _ *http.Request) (begun, error) {
	in := report.Input{Now: time.Now()}
	if err := f.client.reportModel(ctx, key, &in); err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*file, error) {
		if err := f.client.reportRest(ctx, key, &in); err != nil {
			return nil, err
		}
		return &file{
			name: key.Name + ".html", kind: "text/html; charset=utf-8", policy: reportPolicy,
			write: func(w io.Writer) error { return report.Write(w, in) },
		}, nil
	}, nil
}
