package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// service is "tuned serve" in the background, with the state in dir/d.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	logs *bufio.Scanner // its standard error
}

// logLine is what the tests read of a line of the log.
type logLine struct {
	Message string
	URL     string
}

// startServe begins "tuned serve" and waits until it is ready.
func startServe(t *testing.T, dir string, args ...string) *service {
	t.Helper()
	s := launchServe(t, dir, args...)
	s.url = s.until("ready").URL
	return s
}

func launchServe(t *testing.T, dir string, args ...string) *service {
	t.Helper()
	s := &service{t: t, cmd: program(t, dir, append([]string{"serve", "--data-dir", "d", "--listen", "127.0.0.1:0"}, args...)...)}
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.logs = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Signal(syscall.SIGTERM)
			_, _ = io.Copy(io.Discard, out)
			_ = s.cmd.Wait()
		}
	})
	return s
}

// until reads the log up to a message.
func (s *service) until(message string) (l logLine) {
	s.t.Helper()
	for s.logs.Scan() {
		l = logLine{}
		if err := json.Unmarshal(s.logs.Bytes(), &l); err != nil {
			s.t.Fatalf("log line %q: %v", s.logs.Text(), err)
		}
		if l.Message == message {
			return l
		}
	}
	s.t.Fatalf("the log ends without %q", message)
	return l
}

// exits sends a signal and waits for the end.
func (s *service) exits(want int, signals ...os.Signal) {
	s.t.Helper()
	for _, signal := range signals {
		if err := s.cmd.Process.Signal(signal); err != nil {
			s.t.Fatal(err)
		}
	}
	for s.logs.Scan() {
	}
	_ = s.cmd.Wait() // the exit code says it
	if got := s.cmd.ProcessState.ExitCode(); got != want {
		s.t.Fatalf("exit code = %d, want %d", got, want)
	}
}

// status is the HTTP status of a path, 0 when nobody answers.
func (s *service) status(path, token string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

func tokenOf(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "d/token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestServeOverTCPWantsTheToken(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/api/v1/experiments": 401} {
		if got := s.status(path, ""); got != want {
			t.Errorf("%s without a token = %d, want %d", path, got, want)
		}
	}
	if got := s.status("/api/v1/experiments", tokenOf(t, dir)); got != 200 {
		t.Errorf("with the token = %d, want 200", got)
	}
	if _, refused := call(t, dir, exitError, "get", "--server", s.url); !strings.Contains(refused, "--token-file") {
		t.Errorf("a client without a token is told %q", refused)
	}
	if out, _ := call(t, dir, exitOK, "submit", "--server", s.url, "--token-file", "d/token", "work.yaml"); out != "default/work submitted\n" {
		t.Errorf("submit over TCP prints %q", out)
	}
	s.exits(exitOK, syscall.SIGTERM)
	for _, name := range []string{"tuned.log", "token"} {
		text, err := os.ReadFile(filepath.Join(dir, "d", name))
		if err != nil {
			t.Fatal(err)
		}
		if name != "token" && strings.Contains(string(text), tokenOf(t, dir)) {
			t.Errorf("%s holds the token", name)
		}
	}
}

// TestServeKeepsOthersOut looks at the mode of every file that a daemon leaves, and a trial in it.
func TestServeKeepsOthersOut(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	call(t, dir, exitOK, "submit", "--data-dir", "d", "--wait", "work.yaml", "--", "echo", "loss=${trialParameters.x}", "${trialParameters.opt}")
	s.exits(exitOK, os.Interrupt)
	err := filepath.WalkDir(filepath.Join(dir, "d"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode()&fs.ModeSymlink == 0 && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestServeRefusesSecond starts many daemons on one folder at once: one wins, all others name it.
func TestServeRefusesSecond(t *testing.T) {
	const starts = 20
	dir := writeExperiment(t)
	first := startServe(t, dir)
	var others sync.WaitGroup
	for range starts {
		others.Go(func() {
			c := program(t, dir, "serve", "--data-dir", "d", "--listen", "none")
			out, _ := c.CombinedOutput() // the exit code says it
			if got := c.ProcessState.ExitCode(); got != exitBusy || !strings.Contains(string(out), fmt.Sprintf("in use by process %d, which is a daemon: ", first.cmd.Process.Pid)) {
				t.Errorf("a second daemon ends with %d, want %d and the pid %d:\n%s", got, exitBusy, first.cmd.Process.Pid, out)
			}
		})
	}
	others.Wait()
	first.exits(exitOK, syscall.SIGTERM)
	call(t, dir, exitOK, "fsck", "--data-dir", "d")
}

// TestServeRace starts many daemons at once on a folder that is not there: one serves.
func TestServeRace(t *testing.T) {
	const starts = 20
	dir := writeExperiment(t)
	codes := make(chan int, starts)
	var started []*exec.Cmd
	for range starts {
		c := program(t, dir, "serve", "--data-dir", "d", "--listen", "none")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			_ = c.Wait()
			codes <- c.ProcessState.ExitCode()
		}()
		started = append(started, c)
	}
	for range starts - 1 {
		if got := <-codes; got != exitBusy {
			t.Errorf("a daemon that lost ends with %d, want %d", got, exitBusy)
		}
	}
	call(t, dir, exitOK, "submit", "--data-dir", "d", "work.yaml")
	for _, c := range started {
		_ = c.Process.Signal(syscall.SIGTERM) // those that ended get nothing
	}
	if got := <-codes; got != exitOK {
		t.Errorf("the winner ends with %d, want 0", got)
	}
	call(t, dir, exitOK, "fsck", "--data-dir", "d")
}

// TestServeLeavesTrialsRunning ends a daemon amid a trial, and the next one takes it up.
func TestServeLeavesTrialsRunning(t *testing.T) {
	dir := writeExperiment(t)
	t.Cleanup(func() { letGo(t, dir) }) // whatever fails, no trial stays
	s := startServe(t, dir)
	call(t, dir, exitOK, append([]string{"submit", "--data-dir", "d", "work.yaml"}, waiting...)...)
	s.until("trial started")
	s.exits(exitOK, syscall.SIGTERM)
	letGo(t, dir)
	s = startServe(t, dir)
	call(t, dir, exitOK, "wait", "work", "--data-dir", "d")
	out, _ := call(t, dir, exitOK, "trials", "work", "--data-dir", "d", "-o", "jsonpath={[*].attempt} {[*].state}")
	if want := "1 1 1 Succeeded Succeeded Succeeded\n"; out != want {
		t.Errorf("attempts and states = %q, want %q", out, want)
	}
	s.exits(exitOK, syscall.SIGTERM)
}

// TestServeDrains ends a daemon under a request that does not end: it is not ready any more, and a second
// signal cuts the request off.
func TestServeDrains(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	address := strings.TrimPrefix(s.url, "http://")
	slow, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_, _ = fmt.Fprintf(slow, "POST /api/v1/experiments HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\nContent-Type: application/json\r\n\r\n{", tokenOf(t, dir))
	_ = s.status("/healthz", "") // comes after it
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.until("daemon ends")
	s.exits(exitOK, syscall.SIGTERM)
}

// TestServeLingers ends a daemon behind a load balancer: at once it is not ready, and requests are still served.
func TestServeLingers(t *testing.T) {
	dir := writeExperiment(t)
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("shutdownDelay: 24h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir, "--config", "config.yaml")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.until("not ready any more; requests are still served")
	token := tokenOf(t, dir)
	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/api/v1/experiments": 200} {
		if got := s.status(path, token); got != want {
			t.Errorf("%s = %d, want %d", path, got, want)
		}
	}
	call(t, dir, exitOK, "submit", "work.yaml", "--data-dir", "d")
	log, err := os.ReadFile(filepath.Join(dir, "d", "tuned.log"))
	if err != nil || strings.Contains(string(log), "daemon ends") {
		t.Errorf("the log says that the daemon ends while it serves (%v):\n%s", err, log)
	}
	s.exits(exitOK, syscall.SIGTERM)
	call(t, dir, exitOK, "get", "work", "--data-dir", "d")
}

func TestServeTellsItsManager(t *testing.T) {
	dir := writeExperiment(t)
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	c := program(t, dir, "serve", "--data-dir", "d", "--listen", "none")
	c.Env = append(c.Env, "NOTIFY_SOCKET="+socket)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	told := func() string {
		message := make([]byte, 1024)
		n, err := manager.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		return string(message[:n])
	}
	if got := told(); !strings.HasPrefix(got, "READY=1\nSTATUS=serves") {
		t.Errorf("at the start the manager is told %q", got)
	}
	call(t, dir, exitOK, "submit", "--data-dir", "d", "--wait", "work.yaml", "--", "sh", "-c", `echo loss=1 "$NOTIFY_SOCKET" $0 $1`, "${trialParameters.x}", "${trialParameters.opt}")
	if out, _ := call(t, dir, exitOK, "logs", "work", "1", "--data-dir", "d"); strings.Contains(out, socket) {
		t.Errorf("a trial finds the manager's socket: %s", out)
	}
	_ = c.Process.Signal(syscall.SIGTERM)
	if got := told(); got != "STOPPING=1" {
		t.Errorf("at the end the manager is told %q", got)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLogin: the link leads to where the daemon was reached, and lets in one browser.
func TestLogin(t *testing.T) {
	dir := writeExperiment(t)
	s := startServe(t, dir)
	named := strings.Replace(s.url, "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		flags []string
		url   string
	}{{[]string{"--data-dir", "d"}, s.url}, {[]string{"--server", named, "--token-file", "d/token"}, named}} {
		link, _ := call(t, dir, exitOK, append([]string{"login"}, tt.flags...)...)
		link = strings.TrimSpace(link)
		if !strings.HasPrefix(link, tt.url+"/?login=") {
			t.Fatalf("got %q, want a link to %s", link, tt.url)
		}
		for _, want := range []int{http.StatusSeeOther, http.StatusUnauthorized} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("the link: got %d, want %d", response.StatusCode, want)
			}
		}
	}
	s.exits(exitOK, syscall.SIGTERM)
}

func TestServeBanner(t *testing.T) {
	dir := writeExperiment(t)
	master, slave := openPTY(t)
	c := program(t, dir, "serve", "--data-dir", "d", "--listen", "127.0.0.1:0")
	c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for lines := bufio.NewScanner(master); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ctrl-C ends the daemon") {
			break
		}
		if _, link, ok := strings.Cut(lines.Text(), "Open    "); ok {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSpace(link), http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if cookies := response.Cookies(); len(cookies) != 1 || !cookies[0].HttpOnly {
				t.Errorf("the link of the banner sets %v, want one cookie", cookies)
			}
		}
		if strings.HasPrefix(lines.Text(), "{") {
			t.Errorf("the log is on the terminal: %s", lines.Text())
		}
	}
	_ = c.Process.Signal(os.Interrupt)
	_, _ = io.Copy(io.Discard, master)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

func TestRoom(t *testing.T) {
	for free, want := range map[uint64]bool{0: false, leastFree - 1: false, leastFree: true, 1 << 40: true} {
		if err := room(free); (err == nil) != want {
			t.Errorf("%d bytes free: %v, want ready = %t", free, err, want)
		}
	}
}
