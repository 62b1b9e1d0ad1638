package server

import (
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// problem is an error as HTTP clients get it.
type problem struct {
	Code    string  `json:"code"`
	Status  int     `json:"status"`
	Message string  `json:"message"`
	Help    string  `json:"help"`
	Faults  []fault `json:"faults,omitempty"` // of a manifest

	retry time.Duration // 0: at once, or never
}

// fault is one of a manifest.
type fault struct {
	Path    string `json:"path"`
	Line    int    `json:"line"` // from 1; 0 when there is no place
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// general are the reasons of errors that gRPC itself makes.
var general = map[codes.Code]reason{
	codes.InvalidArgument: reasonMalformed, codes.Unimplemented: reasonMethod, codes.NotFound: reasonRoute,
	codes.ResourceExhausted: reasonTooLarge, codes.Canceled: reasonCanceled, codes.DeadlineExceeded: reasonDeadline,
	codes.Unauthenticated: reasonUnauthenticated, codes.Unavailable: reasonClosing,
}

func problemOf(err error) problem {
	st := status.Convert(err)
	p := problem{Code: string(reasonInternal), Message: st.Message()}
	if r, ok := general[st.Code()]; ok {
		p.Code = string(r)
	}
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			p.Code = d.GetReason()
		case *errdetails.RetryInfo:
			p.retry = d.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				p.Faults = append(p.Faults, faultOf(v))
			}
		}
	}
	p.Status = kinds[reason(p.Code)].http
	if p.Status == 0 {
		p.Status = http.StatusInternalServerError
	}
	p.Help = helpOf(reason(p.Code))
	return p
}

// placed is how faults begin whose place is known.
var placed = regexp.MustCompile(`^(\d+):(\d+): `)

func faultOf(v *errdetails.BadRequest_FieldViolation) fault {
	f := fault{Path: v.GetField(), Message: v.GetDescription()}
	if m := placed.FindStringSubmatch(f.Message); m != nil {
		f.Message = f.Message[len(m[0]):]
		f.Line, _ = strconv.Atoi(m[1]) // digits
		f.Column, _ = strconv.Atoi(m[2])
	}
	return f
}

// misrouted is what the gateway says of requests that it cannot make a call of.
func misrouted(err error, w int) error {
	var bad *runtime.HTTPStatusError
	if errors.As(err, &bad) {
		err, w = bad.Err, bad.HTTPStatus
	}
	switch w {
	case http.StatusNotFound:
		return fail(reasonRoute, "no such route")
	case http.StatusMethodNotAllowed:
		return fail(reasonMethod, "the route has no such method")
	}
	return fail(reasonMalformed, "%s", status.Convert(err).Message())
}
