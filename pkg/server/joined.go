package server

import (
	"net/http"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// Client returns a client of the server's own methods, for handlers that are given to Handle. A call with the
// context of a request is one of the request's caller, and passes what every call passes.
func (s *Server) Client() tunedv1.TuningServiceClient {
	return tunedv1.NewTuningServiceClient(newInProcess(s))
}

// Refuse answers a request with an error: one of the API's as it is, of others the log has the cause.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, s.failure(r.Context(), err, scope{}))
}
