package server_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
	"github.com/tuned-hpo/tuned/pkg/server"
)

// link is the path of a link that lets a browser in.
func (r *rig) link(t *testing.T) string {
	t.Helper()
	made, err := r.users.CreateLogin(t.Context(), &tunedv1.CreateLoginRequest{})
	if err != nil {
		t.Fatal(err)
	}
	path, ours := strings.CutPrefix(made.GetUrl(), "http://"+r.tcp)
	if !ours {
		t.Fatalf("got a link to %s, want one to %s", made.GetUrl(), r.tcp)
	}
	return path
}

// login opens a link, and returns the cookie that comes of it.
func (r *rig) login(t *testing.T) string {
	t.Helper()
	for _, c := range r.do(t, http.MethodGet, r.link(t), "").Cookies() {
		return c.Name + "=" + c.Value
	}
	t.Fatal("no cookie came of a link")
	return ""
}

// later is a clock that runs ahead by what is added to it.
type later struct{ by atomic.Int64 }

func (l *later) add(d time.Duration) { l.by.Add(int64(d)) }
func (l *later) now() time.Time      { return time.Now().Add(time.Duration(l.by.Load())) }
func (l *later) set(c *server.Config) {
	c.Now = l.now
}

// TestLinksAreGoodOnceAndSoon: a link lets in one browser, for ten minutes, and the cookie is good for a week.
func TestLinksAreGoodOnceAndSoon(t *testing.T) {
	var clock later
	r := newRigOf(t, nil, clock.set)
	open := func(method, path string) int { return r.do(t, method, path, "").StatusCode }
	read := func(cookie string) int {
		return r.do(t, http.MethodGet, "/api/v1/version", "", "Cookie", cookie).StatusCode
	}
	first, second, third := r.link(t), r.link(t), r.link(t)
	if got := open(http.MethodHead, first); got != http.StatusUnauthorized {
		t.Errorf("who looks at the header alone: got %d", got)
	}
	for i, want := range []int{http.StatusSeeOther, http.StatusUnauthorized, http.StatusUnauthorized} {
		if got := open(http.MethodGet, first); got != want {
			t.Errorf("the link, time %d: got %d, want %d", i+1, got, want)
		}
	}
	clock.add(10*time.Minute - time.Second)
	if got := open(http.MethodGet, second); got != http.StatusSeeOther {
		t.Errorf("just in time: got %d", got)
	}
	clock.add(time.Second)
	if got := open(http.MethodGet, third); got != http.StatusUnauthorized {
		t.Errorf("too late: got %d", got)
	}
	cookie := r.login(t)
	clock.add(7*24*time.Hour - 2*time.Second)
	if got := read(cookie); got != http.StatusOK {
		t.Errorf("within a week: got %d", got)
	}
	name, value, _ := strings.Cut(cookie, "=")
	until, seal, _ := strings.Cut(value, ".")
	for what, forged := range map[string]string{
		"another time": "9" + until + "." + seal, "no time": "." + seal, "no seal": until, "nothing": "", "a time alone": until + ".",
	} {
		if got := read(name + "=" + forged); got != http.StatusUnauthorized {
			t.Errorf("a cookie with %s: got %d, want 401", what, got)
		}
	}
	clock.add(3 * time.Second)
	if got := read(cookie); got != http.StatusUnauthorized {
		t.Errorf("after a week: got %d, want 401", got)
	}
}

// TestOldestLinksAreDropped: so many links wait at most.
func TestOldestLinksAreDropped(t *testing.T) {
	r := newRigOf(t, nil)
	oldest := r.link(t)
	for range 99 {
		r.link(t)
	}
	newest := r.link(t)
	for path, want := range map[string]int{oldest: http.StatusUnauthorized, newest: http.StatusSeeOther} {
		if got := r.do(t, http.MethodGet, path, "").StatusCode; got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

// TestNoLinksWithoutAToken: a daemon that serves its socket alone has nothing for browsers.
func TestNoLinksWithoutAToken(t *testing.T) {
	r := newRigOf(t, nil, func(c *server.Config) { c.UserToken = "" })
	if _, err := r.users.CreateLogin(t.Context(), &tunedv1.CreateLoginRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("got %v, want FAILED_PRECONDITION", err)
	}
}
