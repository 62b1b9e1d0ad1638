// Report reads the output of `go test -json`, prints what a person wants of it and ends with what
// was skipped and why. It fails when a test or a build did, and when a test was skipped although
// TUNED_TEST_REQUIRE=all says that everything can run here.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

func main() {
	ok, err := report(os.Stdin, os.Stdout, os.Getenv("TUNED_TEST_REQUIRE") == "all")
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// An event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string // "" for the package
	Output  string
	Elapsed float64 // seconds
}

// tally collects a run.
type tally struct {
	out                     io.Writer
	passed, failed, skipped int
	broken                  int                 // packages that failed outside of their tests
	said                    map[string][]string // output per package, test
	reasons                 []string            // in the order of the run
	tests                   map[string][]string // skipped, per reason
	culprit                 map[string]bool     // packages with a failed test
}

// report copies what failed and sums up. It returns false unless at least one test passed, none
// failed and, where all are required, none was skipped.
func report(in io.Reader, out io.Writer, all bool) (ok bool, err error) {
	t := &tally{out: out, said: map[string][]string{}, tests: map[string][]string{}, culprit: map[string]bool{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			t.line(line)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read test output: %w", err)
		}
	}
	t.sum()
	if all && t.skipped > 0 {
		fmt.Fprintln(out, "a skip is a failure: TUNED_TEST_REQUIRE=all")
		return false, nil
	}
	return t.failed == 0 && t.broken == 0 && t.passed > 0, nil
}

// line takes in one line; what is no event is printed as it is.
func (t *tally) line(text string) {
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Action == "" {
		fmt.Fprint(t.out, text)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "output":
		t.said[key] = append(t.said[key], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.finishPackage(e, t.said[key])
		} else {
			t.finishTest(e, t.said[key])
		}
		delete(t.said, key)
	}
}

func (t *tally) finishTest(e event, said []string) {
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		reason := reasonOf(said)
		if t.tests[reason] == nil {
			t.reasons = append(t.reasons, reason)
		}
		t.tests[reason] = append(t.tests[reason], short(e.Package)+" "+e.Test)
	case "fail":
		t.failed++
		t.culprit[e.Package] = true
		fmt.Fprint(t.out, strings.Join(said, ""))
	}
}

func (t *tally) finishPackage(e event, said []string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(t.out, "ok    %s  %.1fs\n", short(e.Package), e.Elapsed)
	case "fail":
		fmt.Fprintf(t.out, "FAIL  %s  %.1fs\n", short(e.Package), e.Elapsed)
		if !t.culprit[e.Package] { // it did not build, or died outside of a test
			t.broken++
			fmt.Fprint(t.out, strings.Join(said, ""))
		}
		t.died(e.Package)
	}
}

// died prints what tests said that never ended, as after a panic.
func (t *tally) died(pkg string) {
	for key, said := range t.said {
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " {
			fmt.Fprint(t.out, strings.Join(said, ""))
		}
	}
}

func (t *tally) sum() {
	if t.skipped > 0 {
		fmt.Fprintln(t.out, "\nSkipped:")
		for _, reason := range t.reasons {
			fmt.Fprintf(t.out, "  %s\n", reason)
			for _, test := range t.tests[reason] {
				fmt.Fprintf(t.out, "      %s\n", test)
			}
		}
	}
	if t.broken > 0 {
		fmt.Fprintf(t.out, "\n%d packages could not be tested\n", t.broken)
	}
	fmt.Fprintf(t.out, "\n%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped)
}

// place is what the testing package puts before a message, and its own lines are chatter.
var (
	place   = regexp.MustCompile(`^\s*[\w.-]+\.go:\d+:`)
	chatter = regexp.MustCompile(`^\s*(=== |--- )`)
)

// reasonOf returns what a skipped test said last.
func reasonOf(said []string) string {
	for i := len(said) - 1; i >= 0; i-- {
		line := strings.TrimSpace(place.ReplaceAllString(said[i], ""))
		if line != "" && !chatter.MatchString(said[i]) {
			return line
		}
	}
	return "no reason given"
}

func short(pkg string) string {
	if rest, ok := strings.CutPrefix(pkg, "github.com/tuned-hpo/tuned"); ok {
		return "." + rest
	}
	return pkg
}
