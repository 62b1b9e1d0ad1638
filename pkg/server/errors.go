package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/tuner"
)

// reason is the stable code of a kind of error: what programs look at. docs/errors.md tells of each.
type reason string

const (
	reasonNoExperiment    reason = "EXPERIMENT_NOT_FOUND"
	reasonNoTrial         reason = "TRIAL_NOT_FOUND"
	reasonExists          reason = "EXPERIMENT_EXISTS"
	reasonManifest        reason = "MANIFEST_INVALID"
	reasonManifestLarge   reason = "MANIFEST_TOO_LARGE"
	reasonLocal           reason = "LOCAL_REFUSED"
	reasonArgument        reason = "ARGUMENT_INVALID"
	reasonFilter          reason = "FILTER_INVALID"
	reasonTrials          reason = "TRIALS_INVALID"
	reasonOrder           reason = "ORDER_INVALID"
	reasonPage            reason = "PAGE_INVALID"
	reasonParameters      reason = "PARAMETERS_INVALID"
	reasonState           reason = "STATE_CONFLICT"
	reasonBudget          reason = "BUDGET_USED_UP"
	reasonResult          reason = "RESULT_DIFFERS"
	reasonReused          reason = "REQUEST_ID_REUSED"
	reasonOver            reason = "TRIAL_OVER"
	reasonUID             reason = "UID_DIFFERS"
	reasonNoModel         reason = "MODEL_UNAVAILABLE"
	reasonNoLog           reason = "LOG_UNAVAILABLE"
	reasonFull            reason = "STORAGE_FULL"
	reasonRate            reason = "RATE_LIMITED"
	reasonTooLarge        reason = "REQUEST_TOO_LARGE"
	reasonMalformed       reason = "REQUEST_MALFORMED"
	reasonMediaType       reason = "MEDIA_TYPE_UNSUPPORTED"
	reasonUnauthenticated reason = "UNAUTHENTICATED"
	reasonForbidden       reason = "PERMISSION_DENIED"
	reasonOrigin          reason = "CROSS_ORIGIN"
	reasonHost            reason = "HOST_REFUSED"
	reasonRoute           reason = "ROUTE_NOT_FOUND"
	reasonMethod          reason = "METHOD_NOT_ALLOWED"
	reasonCanceled        reason = "CANCELED"
	reasonDeadline        reason = "DEADLINE_EXCEEDED"
	reasonClosing         reason = "SHUTTING_DOWN"
	reasonInternal        reason = "INTERNAL"
)

// kind is how a reason is said in gRPC and in HTTP.
type kind struct {
	code codes.Code
	http int
}

var kinds = map[reason]kind{
	reasonNoExperiment:    {codes.NotFound, http.StatusNotFound},
	reasonNoTrial:         {codes.NotFound, http.StatusNotFound},
	reasonExists:          {codes.AlreadyExists, http.StatusConflict},
	reasonManifest:        {codes.InvalidArgument, http.StatusBadRequest},
	reasonManifestLarge:   {codes.InvalidArgument, http.StatusRequestEntityTooLarge},
	reasonLocal:           {codes.InvalidArgument, http.StatusBadRequest},
	reasonArgument:        {codes.InvalidArgument, http.StatusBadRequest},
	reasonFilter:          {codes.InvalidArgument, http.StatusBadRequest},
	reasonTrials:          {codes.InvalidArgument, http.StatusBadRequest},
	reasonOrder:           {codes.InvalidArgument, http.StatusBadRequest},
	reasonPage:            {codes.InvalidArgument, http.StatusBadRequest},
	reasonParameters:      {codes.InvalidArgument, http.StatusBadRequest},
	reasonState:           {codes.FailedPrecondition, http.StatusConflict},
	reasonBudget:          {codes.FailedPrecondition, http.StatusConflict},
	reasonResult:          {codes.FailedPrecondition, http.StatusConflict},
	reasonReused:          {codes.FailedPrecondition, http.StatusConflict},
	reasonOver:            {codes.FailedPrecondition, http.StatusConflict},
	reasonUID:             {codes.FailedPrecondition, http.StatusConflict},
	reasonNoModel:         {codes.FailedPrecondition, http.StatusConflict},
	reasonNoLog:           {codes.NotFound, http.StatusNotFound},
	reasonFull:            {codes.ResourceExhausted, http.StatusInsufficientStorage},
	reasonRate:            {codes.ResourceExhausted, http.StatusTooManyRequests},
	reasonTooLarge:        {codes.ResourceExhausted, http.StatusRequestEntityTooLarge},
	reasonMalformed:       {codes.InvalidArgument, http.StatusBadRequest},
	reasonMediaType:       {codes.InvalidArgument, http.StatusUnsupportedMediaType},
	reasonUnauthenticated: {codes.Unauthenticated, http.StatusUnauthorized},
	reasonForbidden:       {codes.PermissionDenied, http.StatusForbidden},
	reasonOrigin:          {codes.PermissionDenied, http.StatusForbidden},
	reasonHost:            {codes.PermissionDenied, http.StatusMisdirectedRequest},
	reasonRoute:           {codes.NotFound, http.StatusNotFound},
	reasonMethod:          {codes.Unimplemented, http.StatusMethodNotAllowed},
	reasonCanceled:        {codes.Canceled, 499}, // as nginx has it: nobody is there to read it
	reasonDeadline:        {codes.DeadlineExceeded, http.StatusGatewayTimeout},
	reasonClosing:         {codes.Unavailable, http.StatusServiceUnavailable},
	reasonInternal:        {codes.Internal, http.StatusInternalServerError},
}

const (
	domain = "tuned"
	help   = "https://github.com/tuned-hpo/tuned/blob/main/docs/errors.md#"
)

var (
	errUnauthenticated = fail(reasonUnauthenticated,
		"this needs a token: Authorization: Bearer TOKEN, the user's from the daemon's data directory or that of the trial")
	errWrongToken = fail(reasonUnauthenticated,
		"the token that was shown is not a right one: the user's lies in the daemon's data directory, that of a trial is good for one attempt")
)

// fail returns an error with its reason and where to read on.
func fail(r reason, format string, args ...any) error {
	return failWith(r, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
}

func failWith(r reason, message string, more ...protoadapt.MessageV1) error {
	details := append([]protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: string(r), Domain: domain, Metadata: map[string]string{"help": helpOf(r)},
	}}, more...)
	st, err := status.New(kinds[r].code, strings.Map(visible, message)).WithDetails(details...)
	if err != nil { // a detail that cannot be encoded: none of ours
		return status.Error(kinds[r].code, strings.Map(visible, message))
	}
	return st.Err()
}

// visible replaces what would move a terminal's cursor, or is no text: names are whatever users write.
func visible(r rune) rune {
	if r == '\n' || unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

func helpOf(r reason) string { return help + strings.ToLower(string(r)) }

func rateLimited(wait time.Duration) error {
	return failWith(reasonRate, fmt.Sprintf("too many requests: try again in %v", wait.Round(time.Millisecond)+time.Millisecond),
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
}

// faulty says all that is wrong with a manifest.
func faulty(faults experiment.Faults) error {
	return listed(reasonManifest, "the experiment has", faults)
}

// faultyTrials says all that is wrong with trials that are imported.
func faultyTrials(faults experiment.Faults) error {
	return listed(reasonTrials, "nothing was imported: the trials have", faults)
}

func listed(r reason, begin string, faults experiment.Faults) error {
	bad := &errdetails.BadRequest{}
	for _, f := range faults {
		text := f
		text.File, text.Path = "", ""
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: strings.ToValidUTF8(f.Path, "\uFFFD"), Description: strings.ToValidUTF8(text.Error(), "\uFFFD"), Reason: string(f.Type),
		})
	}
	what := "1 fault"
	if len(faults) != 1 {
		what = fmt.Sprintf("%d faults", len(faults))
	}
	return failWith(r, fmt.Sprintf("%s %s:\n%v", begin, what, faults), bad)
}

// scope is what a method says of errors whose kind alone is known.
type scope struct {
	key               experiment.Key
	trial             string // "" when the request names none
	conflict, invalid reason // "" is the general one
	absent            reason // in place of what is found to be missing
}

// conflicts are those that say themselves what they are.
var conflicts = []struct {
	kind   error
	reason reason
}{
	{tuner.ErrExists, reasonExists},
	{tuner.ErrBudget, reasonBudget},
	{tuner.ErrReused, reasonReused},
	{tuner.ErrTold, reasonResult},
	{tuner.ErrOver, reasonOver},
}

// conflictOf returns the reason of an ErrConflict; otherwise is that of a method which has but one.
func conflictOf(err error, otherwise reason) reason {
	for _, c := range conflicts {
		if errors.Is(err, c.kind) {
			return c.reason
		}
	}
	return cmp.Or(otherwise, reasonState)
}

// failure turns an error into one of the API. Only kinds that a client can act on keep their text.
func (s *Server) failure(ctx context.Context, err error, in scope) error {
	if _, ours := status.FromError(err); err == nil || ours {
		return err
	}
	var faults experiment.Faults
	switch {
	case errors.As(err, &faults) && in.invalid == reasonManifest:
		return faulty(faults)
	case errors.Is(err, tuner.ErrNotFound):
		return fail(s.missing(ctx, in), "%v", err)
	case errors.Is(err, tuner.ErrConflict):
		return fail(conflictOf(err, in.conflict), "%s", textOf(err))
	case errors.Is(err, tuner.ErrInvalid):
		return fail(cmp.Or(in.invalid, reasonArgument), "%s", textOf(err))
	case errors.Is(err, tuner.ErrFull):
		return failWith(reasonFull, err.Error(), &errdetails.RetryInfo{RetryDelay: durationpb.New(5 * time.Second)})
	case errors.Is(err, context.Canceled):
		return fail(reasonCanceled, "the call was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return fail(reasonDeadline, "the call's deadline has passed")
	}
	s.Log.Error().Err(err).Msg("request failed")
	return fail(reasonInternal, "internal error; the daemon's log has the cause")
}

// textOf is an error without the kinds that it carries for callers: the reason says them.
func textOf(err error) string {
	text := err.Error()
	for _, kind := range []error{tuner.ErrConflict, tuner.ErrInvalid} {
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	return text
}

// missing tells whether it is the experiment that does not exist, or its trial.
func (s *Server) missing(ctx context.Context, in scope) reason {
	if in.absent != "" {
		return in.absent
	}
	if in.trial == "" {
		return reasonNoExperiment
	}
	if _, err := s.Tuner.Experiment(ctx, in.key); err != nil {
		return reasonNoExperiment
	}
	return reasonNoTrial
}
