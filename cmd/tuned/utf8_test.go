package main

import (
	"errors"
	"strings"
	"testing"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// TestTextAlone: a message with a text that is not UTF-8 is refused with the field that holds it.
func TestTextAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		message any
		want    string // "": it is sent
	}{
		"text":        {&tunedv1.TellRequest{Message: "käse \x00", Metrics: map[string]float64{"loss": 1}}, ""},
		"no message":  {"a\xff", ""},
		"a field":     {&tunedv1.TellRequest{RequestId: "id\xff"}, `request_id: "id\xff" is not UTF-8 text: byte 3 is 0xff`},
		"in a list":   {&tunedv1.AnnotateTrialRequest{AddTags: []string{"a", "\xe9t\xe9"}}, `add_tags[1]: "\xe9t\xe9" is not UTF-8 text: byte 1 is 0xe9`},
		"a key":       {&tunedv1.TellRequest{Metrics: map[string]float64{"l\xff": 1}}, "is not UTF-8 text: byte 2 is 0xff"},
		"deep":        {&tunedv1.EnqueueTrialRequest{Assignments: []*tunedv1.Assignment{{Name: "x", Value: "\xff"}}}, `assignments[0].value: "\xff"`},
		"a long text": {&tunedv1.TellRequest{Message: strings.Repeat("x", 1000) + "\xff"}, "... is not UTF-8 text: byte 1001"},
	} {
		err := checkText(tt.message)
		var refused exit
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !errors.As(err, &refused) || refused.code != exitUsage) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
