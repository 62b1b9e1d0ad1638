// Package golden compares what a test computes with what is on record in a file. With the flag
// -update a test writes its file anew.
package golden

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is on record anew")

// Update tells whether what is on record is written anew. It is for tests whose record is not a file
// of text; the others call Compare.
func Update() bool { return *update }

// Compare fails the test unless the file holds the text got.
func Compare(t testing.TB, file, got string) {
	t.Helper()
	if Update() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(got, "\n"), strings.Split(string(want), "\n")); diff != "" {
		t.Errorf("%s is not what comes out now; if that is meant, -update writes it anew (-got +want):\n%s", file, diff)
	}
}
