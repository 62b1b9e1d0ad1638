package server_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// section is one code of docs/errors.md: its heading, its status in HTTP and its code in gRPC.
var section = regexp.MustCompile("(?m)^### ([A-Z_]+)\n(\\d+), ([A-Z_]+)\\.")

// TestEveryErrorIsDocumented: docs/errors.md has a section for each code, with what it is on both transports.
func TestEveryErrorIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, m := range section.FindAllStringSubmatch(string(text), -1) {
		var code codes.Code
		if err := code.UnmarshalJSON([]byte(`"` + m[3] + `"`)); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		documented[m[1]] = fmt.Sprintf("%s %d", m[2], code)
	}
	if diff := cmp.Diff(documented, server.Reasons()); diff != "" {
		t.Errorf("docs/errors.md (-documented +server):\n%s", diff)
	}
}

// TestEveryMethodHasARule: none is open or shut by accident.
func TestEveryMethodHasARule(t *testing.T) {
	n := 0
	for _, m := range append(methodsOf(t, tunedv1.TuningService_ServiceDesc), methodsOf(t, tunedv1.AgentService_ServiceDesc)...) {
		n++
		if name := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name()); !server.Ruled(name) {
			t.Errorf("%s has no rule", name)
		}
	}
	if n != server.Rules() {
		t.Errorf("%d rules for %d methods", server.Rules(), n)
	}
}

// TestNoMethod: a call of a method that there is not is answered with a reason, as all others.
func TestNoMethod(t *testing.T) {
	r := newRigOf(t, nil)
	conn := dial(t, "unix:"+r.socket)
	for _, method := range []string{"/tuned.v1.TuningService/Nope", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/x/y"} {
		err := conn.Invoke(t.Context(), method, &tunedv1.GetVersionRequest{}, &tunedv1.GetVersionResponse{})
		if reasonOf(err) != "METHOD_NOT_ALLOWED" || status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: got %v, %q", method, err, reasonOf(err))
		}
	}
}
