// Command fuzz runs every fuzz target below the working directory, one after the other, for some time or
// some executions, prints how often each was executed beyond its corpus, and demands a number of that.
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
)

func main() {
	span := flag.String("time", "30s", "how long each target runs, or how often, its corpus included: 4000x")
	least := flag.Int("least", 1000, "executions beyond the corpus that each target must come to")
	only := flag.String("run", "", "regular expression; run these targets alone, as PACKAGE/NAME")
	flag.Parse()
	failed, err := plan{".", *only, *span, *least}.run(os.Stdout)
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

// plan is what to run: the targets below root that match, for a span as go test's -fuzztime takes, and how
// often beyond its corpus each must have been executed then.
type plan struct {
	root, only, span string
	least            int
}

// run runs the targets and prints a line of each. It returns how many have found something, or were
// executed too seldom.
func (p plan) run(out io.Writer) (failed int, err error) {
	chosen, err := regexp.Compile(p.only)
	if err != nil {
		return 0, err
	}
	all, err := targets(p.root)
	if err != nil {
		return 0, err
	}
	total, ran := 0, 0
	for _, t := range all {
		if !chosen.MatchString(t.String()) {
			continue
		}
		said, execs, err := p.fuzz(t)
		total, ran = total+execs, ran+1
		switch {
		case err != nil:
			failed++
			fmt.Fprintf(out, "%12d  %s: FAILED\n%s\n", execs, t, said)
		case execs < p.least:
			failed++
			fmt.Fprintf(out, "%12d  %s: FAILED, want at least %d\n", execs, t, p.least)
		default:
			fmt.Fprintf(out, "%12d  %s\n", execs, t)
		}
	}
	if ran == 0 {
		return 0, fmt.Errorf("no target matches %q", p.only)
	}
	fmt.Fprintf(out, "%12d  executions of %d targets beyond their corpora, %s each; failed: %d\n", total, ran, p.span, failed)
	return failed, nil
}

// fuzz runs one target, and returns how often it was executed beyond its corpus. What it finds is kept below
// the testdata of its package, as go test does.
func (p plan) fuzz(t target) (said []byte, execs int, err error) {
	said, err = t.run(p.root, p.span)
	return said, max(0, last(execsOf, said)-last(corpusOf, said)), err
}

// run runs the target for a span.
func (t target) run(root, span string) ([]byte, error) {
	// Minimising, for which a worker takes a minute unless told otherwise, would take most of the time.
	c := exec.CommandContext(context.Background(), "go", "test", "-run=^$", "-fuzz=^"+t.name+"$", "-fuzztime="+span, "-fuzzminimizetime=10x", "./"+t.dir)
	c.Dir = root
	return c.CombinedOutput()
}

var (
	execsOf  = regexp.MustCompile(`execs: (\d+)`)
	corpusOf = regexp.MustCompile(`baseline coverage: \d+/(\d+) completed`)
)

// last returns the last number that an expression finds in what go test has printed; 0 when there is none.
func last(of *regexp.Regexp, said []byte) (n int) {
	for line := range bytes.Lines(said) {
		if found := of.FindSubmatch(line); found != nil {
			n, _ = strconv.Atoi(string(found[1])) // it is digits
		}
	}
	return n
}
