package guard_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/internal/testenv"
)

// TestLimitsOfTheKernel: a daemon that the kernel lets write no longer file, or open no more of them, refuses what is to
// be stored as on a full disk, says so, and goes on by itself when the limit is lifted.
func TestLimitsOfTheKernel(t *testing.T) {
	for name, test := range map[string]struct {
		resource int
		low      uint64
	}{
		"no byte":         {unix.RLIMIT_FSIZE, 0},
		"a short file":    {unix.RLIMIT_FSIZE, 1 << 20},
		"no file":         {unix.RLIMIT_NOFILE, 0},
		"few other files": {unix.RLIMIT_NOFILE, 8},
	} {
		t.Run(name, func(t *testing.T) {
			d := serve(t, filepath.Join(t.TempDir(), "data"), os.DevNull)
			users := client(t, "unix:"+filepath.Join(d.Data, "tuned.sock"))
			manifest := strings.Replace(contested, "name: contested", "name: %s", 1)
			create := func(name string) error {
				_, err := users.CreateExperiment(t.Context(), &tunedv1.CreateExperimentRequest{Manifest: fmt.Sprintf(manifest, name)})
				return err
			}
			if err := create("before"); err != nil {
				t.Fatal(err)
			}
			lift := limit(t, d.Pid(), test.resource, test.low)
			for range 20 {
				if err := create("meanwhile"); reasonOf(err) != "STORAGE_FULL" {
					t.Fatalf("create: got %v, want STORAGE_FULL", err)
				}
			}
			if _, err := users.ListExperiments(t.Context(), &tunedv1.ListExperimentsRequest{}); err != nil {
				t.Errorf("list: %v", err)
			}
			if test.resource == unix.RLIMIT_FSIZE {
				d.ready(http.StatusServiceUnavailable)
			} else {
				d.knock(4)
			}
			lift()
			d.ready(http.StatusOK)
			if err := create("after"); err != nil {
				t.Errorf("create: %v", err)
			}
			d.End(unix.SIGTERM)
			d.run(0, "fsck")
			listed := strings.Fields(string(d.run(0, "get", "-o", "name")))
			if len(listed) != 2 {
				t.Errorf("there are %q, want those of before and after", listed)
			}
		})
	}
}

// TestMoreConnectionsThanFiles: clients that open more connections than the daemon may open files keep nobody from
// storing.
func TestMoreConnectionsThanFiles(t *testing.T) {
	const files = 256
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nulimit -n %d\nexec %s \"$@\"\n", files, filepath.Join(bin, "tuned"))
	if err := os.WriteFile(filepath.Join(dir, "tuned"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	d := &daemon{testenv.Serve(t, dir, filepath.Join(dir, "data"), nil), t}
	users := client(t, "unix:"+filepath.Join(d.Data, "tuned.sock"))
	create := func(name string) error {
		manifest := strings.Replace(contested, "name: contested", "name: "+name, 1)
		_, err := users.CreateExperiment(t.Context(), &tunedv1.CreateExperimentRequest{Manifest: manifest})
		return err
	}
	if err := create("before"); err != nil {
		t.Fatal(err)
	}
	last := d.knock(2 * files)
	if err := create("crowded"); err != nil {
		t.Error(err)
	}
	if n, err := last.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Errorf("read %d bytes, %v; want the connection closed: all others have been accepted before", n, err)
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.Pid()))
	if err != nil || len(open) > files-8 {
		t.Errorf("%d files are open, %v; want some of %d left", len(open), err, files)
	}
	if err := create("after"); err != nil {
		t.Error(err)
	}
}

// limit sets a limit of a process and returns what sets it back.
func limit(t *testing.T, pid, resource int, to uint64) (lift func()) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: to, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := unix.Prlimit(pid, resource, &before, nil); err != nil {
			t.Error(err)
		}
	}
}

// reasonOf is the stable code of an error.
func reasonOf(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// ready wants an answer of the daemon about itself, over a connection of its own.
func (d *daemon) ready(want int) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.URL+"/readyz", http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		d.t.Errorf("ready: got %s, want %d", response.Status, want)
	}
}

// knock makes connections, sends nothing, and returns the last one.
func (d *daemon) knock(times int) (last net.Conn) {
	d.t.Helper()
	var dialer net.Dialer
	for range times {
		conn, err := dialer.DialContext(d.t.Context(), "tcp", strings.TrimPrefix(d.URL, "http://"))
		if err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() { _ = conn.Close() })
		last = conn
	}
	return last
}
