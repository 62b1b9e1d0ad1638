package docs_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kind says what is done with a block of commands, by the words that follow its language.
type kind int

const (
	unknown      kind = iota
	runs              // ```sh
	inBackground      // ```sh in another terminal
	doesNotRun        // ```sh not run: REASON
)

// A block is a fenced piece of shell.
type block struct {
	kind kind
	text string
	line int // of its fence
}

// fence is a block of code, which may stand in a list: its indentation, what follows the fence, and its text.
var fence = regexp.MustCompile("(?ms)^( *)```([^\n`]*)\n(.*?)^ *```$")

// blocks returns the pieces of shell of a page.
func blocks(t *testing.T, file string) []block {
	t.Helper()
	text := read(t, filepath.Join(root, file))
	var found []block
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		indent, info, code := text[at[2]:at[3]], text[at[4]:at[5]], text[at[6]:at[7]]
		words, isShell := strings.CutPrefix(info, "sh")
		if !isShell {
			continue
		}
		code = strings.ReplaceAll("\n"+code, "\n"+indent, "\n")[1:]
		found = append(found, block{kindOf(words), code, 1 + strings.Count(text[:at[0]], "\n")})
	}
	return found
}

// kindOf reads what follows the language.
func kindOf(words string) kind {
	reason, left := strings.CutPrefix(words, " not run: ")
	switch {
	case words == "":
		return runs
	case words == " in another terminal":
		return inBackground
	case left && reason != "":
		return doesNotRun
	}
	return unknown
}

// documents returns the pages that users read.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"README.md", "docs/*.md", "python/README.md", "examples/*.md", "examples/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			found = append(found, strings.TrimPrefix(filepath.ToSlash(file), root+"/"))
		}
	}
	return found
}

// TestEveryPageIsRun: a page with commands is run, and a block that is not says why.
func TestEveryPageIsRun(t *testing.T) {
	for _, file := range documents(t) {
		listed := slices.ContainsFunc(pages, func(p page) bool { return p.file == file })
		run := 0
		for _, b := range blocks(t, file) {
			switch b.kind {
			case unknown:
				t.Errorf("%s:%d: neither ```sh nor ```sh not run: REASON nor ```sh in another terminal", file, b.line)
			case runs, inBackground:
				run++
			}
		}
		if listed != (run > 0) {
			t.Errorf("%s: %d blocks to run, and in the list of pages: %v", file, run, listed)
		}
	}
}

// command is a line of an indented block that looks like one for a shell.
var command = regexp.MustCompile(`(?m)^ {4,}(\$ )?((bin/|\S*/)?tuned|make|go|bash|curl|export|python3?|pip|jq|eval|[A-Z_]+=\S+) .*$`)

// TestCommandsAreFenced: commands stand in blocks that this test runs.
func TestCommandsAreFenced(t *testing.T) {
	for _, file := range documents(t) {
		text := fence.ReplaceAllString(read(t, filepath.Join(root, file)), "")
		for _, line := range command.FindAllString(text, -1) {
			t.Errorf("%s: a command outside of a block of ```sh:\n%s", file, line)
		}
	}
}
