package failpoint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// point is a line of points.txt.
type point struct {
	name, part string
	errs       bool // it can have an error
}

func points(t *testing.T) (out []point) {
	t.Helper()
	text, err := os.ReadFile("points.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		field := strings.Fields(line)
		if len(field) < 5 || !slices.Contains([]string{"trials", "stop", "tell", "delete", "control", "import", "webhook", "prune", "handover"}, field[1]) {
			t.Fatalf("points.txt: %q: want name, part, kinds and where it lies", line)
		}
		out = append(out, point{field[0], field[1], slices.Contains(strings.Split(field[2], ","), "error")})
	}
	return out
}

// call is a point in the source.
type call struct {
	at   token.Position
	errs bool
}

// calls finds the points in the sources below the root.
func calls(t *testing.T) map[string][]call {
	t.Helper()
	out, files := map[string][]call{}, token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("failpoint.")) {
			return err
		}
		file, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			name, errs, ok := pointOf(n)
			if ok {
				out[name] = append(out[name], call{files.Position(n.Pos()), errs})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pointOf returns the name in failpoint.Hit("name") or failpoint.Err("name").
func pointOf(n ast.Node) (name string, errs, ok bool) {
	c, isCall := n.(*ast.CallExpr)
	if !isCall {
		return "", false, false
	}
	f, isSelector := c.Fun.(*ast.SelectorExpr)
	if !isSelector || fmt.Sprint(f.X) != "failpoint" {
		return "", false, false
	}
	literal, isLiteral := c.Args[0].(*ast.BasicLit)
	if !isLiteral {
		return "not a literal", false, true
	}
	name, err := strconv.Unquote(literal.Value)
	return name, f.Sel.Name == "Err", err == nil
}

// TestPoints prints the list, and compares it with the sources.
func TestPoints(t *testing.T) {
	listed, found := points(t), calls(t)
	if len(listed) < 40 {
		t.Errorf("%d points, want 40 or more", len(listed))
	}
	for _, p := range listed {
		at := found[p.name]
		if len(at) != 1 {
			t.Errorf("%s is listed, and is at %d places of the source, want 1", p.name, len(at))
			continue
		}
		t.Logf("%-20s %s", p.name, at[0].at)
		if at[0].errs != p.errs {
			t.Errorf("%s: failpoint.Err in the source: %t, a kind \"error\" in the list: %t", p.name, at[0].errs, p.errs)
		}
		delete(found, p.name)
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Errorf("%s: point %q is not listed in points.txt", found[name][0].at, name)
	}
	t.Logf("%d points", len(listed))
}

// TestNothingWithoutTag proves that a program built without the tag holds nothing of this.
func TestNothingWithoutTag(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, f := range []string{"can inline Hit", "can inline Err"} {
		if !strings.Contains(string(out), f) {
			t.Errorf("the compiler does not say %q:\n%s", f, out)
		}
	}
	with, without := build(t, "failpoint"), build(t, "")
	for _, p := range points(t) {
		if bytes.Contains(without, []byte(p.name)) {
			t.Errorf("%q is in a program that is built without the tag", p.name)
		}
		if !bytes.Contains(with, []byte(p.name)) {
			t.Errorf("%q is not in a program that is built with the tag", p.name)
		}
	}
}

// build returns the programs, one after the other.
func build(t *testing.T, tags string) (all []byte) {
	t.Helper()
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "build", "-tags="+tags, "-ldflags=-s -w", "-o", dir, "./cmd/tuned", "./cmd/trial-agent")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"tuned", "trial-agent"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return all
}
