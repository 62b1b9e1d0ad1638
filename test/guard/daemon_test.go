package guard_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/internal/testenv"
)

// daemon is the real program.
type daemon struct {
	*testenv.Daemon
	t *testing.T
}

// serve starts a daemon and returns once it is ready.
func serve(t *testing.T, data, config string, env ...string) *daemon {
	t.Helper()
	return &daemon{testenv.Serve(t, bin, data, env, "--config", config), t}
}

// run runs a command and returns all that it prints. The exit code must be as wanted; -1 is any.
func (d *daemon) run(want int, args ...string) []byte {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), filepath.Join(bin, "tuned"), args...)
	c.Env = append(os.Environ(), "XDG_STATE_HOME="+d.Data+"-elsewhere")
	switch args[0] {
	case "validate", "explain":
	case "store":
		c.Args = append(c.Args, "--data-dir", d.Data)
		if args[1] == "verify" {
			c.Args = c.Args[:len(c.Args)-2]
		}
	default:
		c.Args = append(c.Args, "--data-dir", d.Data)
	}
	out, _ := c.CombinedOutput() // the exit code says it
	if got := c.ProcessState.ExitCode(); want >= 0 && got != want {
		d.t.Errorf("tuned %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, want, out)
	}
	return out
}

// most is how long is read of a stream that does not end.
const most = 500 * time.Millisecond

// get makes a request and returns what is answered: all of it, or of a stream what comes first.
func (d *daemon) get(method, path, token string) []byte {
	d.t.Helper()
	ctx := d.t.Context()
	if strings.HasSuffix(path, "/watch") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, most)
		defer cancel()
	}
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	request, err := http.NewRequestWithContext(ctx, method, d.URL+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil && ctx.Err() == nil {
		d.t.Errorf("%s %s: %v", method, path, err)
	}
	if response.StatusCode >= http.StatusInternalServerError {
		d.t.Errorf("%s %s: %s\n%s", method, path, response.Status, text)
	}
	return text
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
