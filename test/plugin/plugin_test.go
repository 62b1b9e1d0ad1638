// Package plugin_test runs the plugins that docs/plugins.md shows, in Python and in Go, as processes of their own.
package plugin_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tuned-hpo/tuned/algorithms"
	"github.com/tuned-hpo/tuned/algorithms/algorithmtest"
	"github.com/tuned-hpo/tuned/internal/testenv"
	"github.com/tuned-hpo/tuned/plugins/host"
)

const root = "../.."

// program returns the one that docs/plugins.md shows in a language.
func program(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("docs/plugins.md shows %d programs in %s, want 1", len(found), language)
	}
	return string(found[0][1])
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func run(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, out)
	}
}

// start runs a plugin until the test ends, and returns its algorithms. Its last argument will be its socket.
func start(t *testing.T, arguments ...string) []algorithms.Definition {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	c := exec.CommandContext(t.Context(), arguments[0], append(arguments[1:], socket)...)
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	var errors strings.Builder
	c.Stderr = &errors
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Wait() // it ends by a signal
		if errors.Len() > 0 {
			t.Errorf("the plugin says:\n%.2000s", errors.String())
		}
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the plugin says %q, %v", line, err)
	}
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	defs, err := host.Definitions(t.Context(), conn, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return defs
}

func conform(t *testing.T, defs []algorithms.Definition) {
	t.Helper()
	if len(defs) != 1 || defs[0].Name != "draws" {
		t.Fatalf("got %d algorithms, want the one named draws", len(defs))
	}
	algorithmtest.Run(t, defs[0])
}

func TestPython(t *testing.T) {
	bin, err := exec.CommandContext(t.Context(), "./python", "--installed").Output()
	if err != nil {
		testenv.Skip(t, "gRPC for Python is not installed: run test/plugin/python")
	}
	python, dir := filepath.Join(strings.TrimSpace(string(bin)), "python3"), t.TempDir()
	run(t, exec.CommandContext(t.Context(), python, "-m", "grpc_tools.protoc", "-I", filepath.Join(root, "api", "tuned", "plugin", "v1"),
		"--python_out="+dir, "--grpc_python_out="+dir, "plugin.proto"))
	conform(t, start(t, python, write(t, filepath.Join(dir, "plugin.py"), program(t, "python"))))
}

func TestGo(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "plugin")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, write(t, filepath.Join(dir, "main.go"), program(t, "go")))
	build.Dir = root
	run(t, build)
	conform(t, start(t, binary))
}
