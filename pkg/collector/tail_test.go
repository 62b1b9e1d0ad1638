package collector

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tailTest follows a file and remembers what came out.
type tailTest struct {
	t    *testing.T
	path string
	tail *Tail
	got  []string
}

func newTailTest(t *testing.T) *tailTest {
	tt := &tailTest{t: t, path: filepath.Join(t.TempDir(), "metrics.log")}
	tt.tail = NewTail(tt.path, func(line string) { tt.got = append(tt.got, line) })
	return tt
}

func (tt *tailTest) write(flag int, text string) {
	tt.t.Helper()
	f, err := os.OpenFile(tt.path, os.O_CREATE|os.O_WRONLY|flag, 0o600)
	if err != nil {
		tt.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		tt.t.Fatal(err)
	}
}

// poll checks what has come out since the last check, lines joined by |.
func (tt *tailTest) poll(want string) {
	tt.t.Helper()
	if err := tt.tail.Poll(); err != nil {
		tt.t.Fatal(err)
	}
	tt.check(want)
}

func (tt *tailTest) check(want string) {
	tt.t.Helper()
	if got := strings.Join(tt.got, "|"); got != want {
		tt.t.Errorf("got %q, want %q", got, want)
	}
	tt.got = nil
}

func (tt *tailTest) close(want string) {
	tt.t.Helper()
	if err := tt.tail.Close(); err != nil {
		tt.t.Fatal(err)
	}
	tt.check(want)
}

func TestTailFollowsAFileThatComesLate(t *testing.T) {
	tt := newTailTest(t)
	tt.poll("")
	tt.write(os.O_APPEND, "a\nb")
	tt.poll("a")
	tt.poll("")
	tt.write(os.O_APPEND, "c\nd")
	tt.poll("bc")
	tt.write(os.O_APPEND, "e")
	tt.close("de")
}

func TestTailSurvivesRotation(t *testing.T) {
	tt := newTailTest(t)
	tt.write(os.O_APPEND, "a\n")
	tt.poll("a")
	tt.write(os.O_APPEND, "b\nlast")
	if err := os.Rename(tt.path, tt.path+".1"); err != nil {
		t.Fatal(err)
	}
	tt.write(os.O_APPEND, "new\n")
	tt.poll("b|last|new")
	tt.close("")
}

func TestTailReadsARemovedFileToItsEnd(t *testing.T) {
	tt := newTailTest(t)
	tt.write(os.O_APPEND, "a\n")
	tt.poll("a")
	tt.write(os.O_APPEND, "b\n")
	if err := os.Remove(tt.path); err != nil {
		t.Fatal(err)
	}
	tt.poll("b")
	tt.close("")
}

func TestTailSurvivesTruncation(t *testing.T) {
	tt := newTailTest(t)
	tt.write(os.O_APPEND, "first\nsecond\npart")
	tt.poll("first|second")
	tt.write(os.O_TRUNC, "new\n")
	tt.poll("new")
	tt.close("")
}

func TestTailSeesARewrittenFileThatIsLonger(t *testing.T) {
	tt := newTailTest(t)
	tt.write(os.O_APPEND, "first\n")
	tt.poll("first")
	tt.write(os.O_TRUNC, "other text\nand more\n")
	tt.poll("other text|and more")
	tt.close("")
}

func TestTailReadsLargeFiles(t *testing.T) {
	tt := newTailTest(t)
	tt.write(os.O_APPEND, strings.Repeat("0123456789\n", 100_000))
	if err := tt.tail.Poll(); err != nil {
		t.Fatal(err)
	}
	if got := len(tt.got); got != 100_000 {
		t.Errorf("got %d lines, want 100000", got)
	}
	tt.got = nil
	tt.write(os.O_APPEND, "z\n")
	tt.poll("z")
	tt.close("")
}

func TestTailRefusesADirectory(t *testing.T) {
	tail := NewTail(t.TempDir(), func(string) {})
	if err := tail.Poll(); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("got %v, want a refusal", err)
	}
}
