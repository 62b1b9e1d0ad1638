package server

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// importPath is the route of imports, whose bodies are large and may take their time.
const importPath = "/api/v1/experiments/import"

// mediaTypes are those of a request's body: of an import a message per line.
func mediaTypes(r *http.Request) []string {
	if r.URL.Path == importPath {
		return []string{"application/x-ndjson", "application/json"}
	}
	return []string{"application/json"}
}

// largest is how many bytes a request's body may have.
func (s *Server) largest(r *http.Request) int64 {
	switch c, _ := r.Context().Value(callerKey{}).(caller); {
	case !c.user:
		return s.Limits.TrialBody
	case r.URL.Path == importPath:
		return s.Limits.Import.Bytes
	}
	return s.Limits.Body
}

// bounded is the body of a request, of which no more is read than is taken.
func (s *Server) bounded(w http.ResponseWriter, r *http.Request) io.ReadCloser {
	body := http.MaxBytesReader(w, r.Body, s.largest(r))
	if r.URL.Path != importPath {
		return body
	}
	return &patient{ReadCloser: body, control: http.NewResponseController(w), limits: &s.Limits}
}

// patient is a body each part of which may take as long as another request as a whole.
type patient struct {
	io.ReadCloser
	control *http.ResponseController
	limits  *Limits
}

// Read implements io.Reader.
func (p *patient) Read(part []byte) (int, error) {
	_ = p.control.SetReadDeadline(deadline(p.limits.Stall)) // a recorder in a test has none
	_ = p.control.SetWriteDeadline(deadline(p.limits.Import.Time + writeTimeout))
	n, err := p.ReadCloser.Read(part)
	if errors.Is(err, io.EOF) {
		_ = p.control.SetReadDeadline(time.Time{}) // the connection is watched while the answer is made
	}
	return n, err
}
