// Command fuzz runs every fuzz target below the working directory for some time, one after the other, and
// prints how often each was executed.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

func main() {
	span := flag.Duration("time", 30*time.Second, "how long each target runs")
	only := flag.String("run", "", "regular expression; run these targets alone, as PACKAGE/NAME")
	flag.Parse()
	failed, err := run(os.Stdout, ".", *only, *span)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

// target is one function.
type target struct {
	dir  string // of its package, with slashes
	name string
}

func (t target) String() string { return t.dir + "/" + t.name }

// targets finds the fuzz functions below root, in order.
func targets(root string) (out []target, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != root || entry.Name() == "testdata"
		if entry.IsDir() && hidden {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Fuzz") { // vet sees to its signature
				out = append(out, target{filepath.ToSlash(dir), f.Name.Name})
			}
		}
		return nil
	})
	return out, err
}

// run runs the targets and prints a line of each. It returns how many have found something.
func run(out io.Writer, root, only string, span time.Duration) (failed int, err error) {
	chosen, err := regexp.Compile(only)
	if err != nil {
		return 0, err
	}
	all, err := targets(root)
	if err != nil {
		return 0, err
	}
	total, ran := 0, 0
	for _, t := range all {
		if !chosen.MatchString(t.String()) {
			continue
		}
		said, err := t.run(root, span)
		execs := executions(said)
		total, ran = total+execs, ran+1
		if err != nil || execs == 0 {
			failed++
			fmt.Fprintf(out, "%12d  %s: FAILED\n%s\n", execs, t, said)
			continue
		}
		fmt.Fprintf(out, "%12d  %s\n", execs, t)
	}
	if ran == 0 {
		return 0, fmt.Errorf("no target matches %q", only)
	}
	fmt.Fprintf(out, "%12d  executions of %d targets, %s each; failed: %d\n", total, ran, span, failed)
	return failed, nil
}

// run runs one target. What it finds is kept below the testdata of its package, as go test does.
func (t target) run(root string, span time.Duration) ([]byte, error) {
	// Minimising, for which a worker takes a minute unless told otherwise, would take most of the time.
	c := exec.CommandContext(context.Background(), "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+span.String(), "-fuzzminimizetime=10x", "./"+t.dir)
	c.Dir = root
	return c.CombinedOutput()
}

var execsOf = regexp.MustCompile(`execs: (\d+)`)

// executions returns the last count that go test has printed; 0 when there is none.
func executions(said []byte) (n int) {
	for line := range bytes.Lines(said) {
		if found := execsOf.FindSubmatch(line); found != nil {
			n, _ = strconv.Atoi(string(found[1])) // it is digits
		}
	}
	return n
}
