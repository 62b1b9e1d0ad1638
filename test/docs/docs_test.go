// Package docs_test runs the commands that the documentation shows, with the real programs.
package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// bin is a folder with the programs.
var bin string

func TestMain(m *testing.M) {
	const module = "github.com/tuned-hpo/tuned"
	os.Exit(testenv.WithPrograms(m, &bin, module+"/cmd/tuned", module+"/cmd/trial-agent", module+"/test/docs/grpcurl"))
}

// root leads from here to the pages.
const root = "../.."

// A page is a document whose commands are run.
type page struct {
	file   string
	served bool     // by a daemon, before its first command
	python []string // modules that its programs import
	prints []string // what must be seen, beside exit codes of 0
}

var pages = []page{
	{file: "README.md", prints: []string{"mnist: ", "val_loss, to minimize", "experiment.yaml: ok: default/mnist", "Best trial:"}},
	{file: "docs/api.md", served: true, prints: []string{
		`"Running"`, "acked", `"Succeeded"`, `"Failed"`, "event: reset", "EXPERIMENT_NOT_FOUND", `"Paused"`, `"ExperimentStopped"`, "bayesianoptimization:",
		"<title>bowl: tuned</title>", `["Succeeded","ExperimentMaxTrialsReached",3,"1"]`, `["moved-2",3]`,
	}},
	{file: "docs/checkpoints.md", python: []string{"torch"}, prints: []string{"calls=2", "[4,1]"}},
	{file: "docs/cli.md"},
	{file: "docs/exchange.md"},
	{file: "docs/running-as-a-service.md"},
	{file: "docs/running-locally.md"},
}

// TestCommands runs the commands of each page, one after the other in one shell, as a reader would.
func TestCommands(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq", "python3", "timeout"} {
		testenv.Program(t, program)
	}
	for _, p := range pages {
		t.Run(name(p.file), func(t *testing.T) {
			for _, module := range p.python {
				testenv.PythonModule(t, module)
			}
			script := p.script(t)
			out, err := p.shell(t, script).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range p.prints {
				if !strings.Contains(string(out), want) {
					t.Errorf("nothing printed %s:\n%s", want, out)
				}
			}
		})
	}
}

// script returns what is run for a page: what is written down for all pages, what the page takes for granted, and its
// commands.
func (p page) script(t *testing.T) string {
	t.Helper()
	script := read(t, "testdata/begin.sh")
	if before, err := os.ReadFile(filepath.Join("testdata", name(p.file)+".sh")); err == nil {
		script += string(before)
	}
	for _, b := range blocks(t, p.file) {
		switch b.kind {
		case runs:
			script += b.text
		case inBackground:
			script += "background <<'END'\n" + b.text + "END\n"
		}
	}
	return script
}

// shell returns the command that runs a script as a user who has the files of testdata/home, and nothing else yet.
func (p page) shell(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/home")); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "bash", "-x")
	c.Dir, c.Stdin = dir, strings.NewReader(script)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) } // it ends what it has in the background
	c.WaitDelay = 10 * time.Second
	c.Env = append(os.Environ(), "HOME="+dir, "PROGRAMS="+bin, "SOURCE="+absolute(t, root))
	if p.served {
		d := testenv.Serve(t, bin, filepath.Join(dir, "data"), nil)
		t.Cleanup(func() { d.End(syscall.SIGTERM) })
		c.Env = append(c.Env, "TUNED_SERVER="+d.URL, "TUNED_TOKEN="+d.Token)
	}
	return c
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// name is a page's file without folder and extension.
func name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".md") }

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
