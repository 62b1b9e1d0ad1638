package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	tunedv1 "github.com/tuned-hpo/tuned/api/tuned/v1"
)

// A browser is let in by a link that is good for one time: what is in its history, and in whatever sees addresses, is
// of no use to others. It is exchanged for a cookie.
const (
	loginLife   = 10 * time.Minute
	sessionLife = 7 * 24 * time.Hour
	mostLogins  = 100 // links that wait to be opened; of more the oldest is worth nothing any more
)

// logins are the links that wait to be opened.
type logins struct {
	now func() time.Time

	mu    sync.Mutex
	url   string // of the server, as browsers reach it
	codes []loginCode
}

// loginCode is a code as the server knows it, which is not the code.
type loginCode struct {
	hash  [sha256.Size]byte
	until time.Time
}

// Announce says under which URL browsers reach the server. Until then there are no links.
func (s *Server) Announce(url string) {
	s.logins.mu.Lock()
	defer s.logins.mu.Unlock()
	s.logins.url = url
}

// NewLogin returns a link that lets one browser in, until a time; "" where no browser reaches the server.
func (s *Server) NewLogin() (url string, until time.Time) {
	if s.UserToken == "" {
		return "", time.Time{}
	}
	return s.logins.create()
}

func (l *logins) create() (url string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.url == "" {
		return "", time.Time{}
	}
	code := rand.Text()
	if l.expire(); len(l.codes) == mostLogins {
		l.codes = l.codes[1:]
	}
	until = l.now().Add(loginLife)
	l.codes = append(l.codes, loginCode{sha256.Sum256([]byte(code)), until})
	return l.url + "/?login=" + code, until
}

// use reports whether a code is good, which it is not any more then. It is looked for by its hash, so that the time
// that takes tells nothing.
func (l *logins) use(code string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire()
	hash := sha256.Sum256([]byte(code))
	for i, c := range l.codes {
		if c.hash == hash {
			l.codes = append(l.codes[:i:i], l.codes[i+1:]...)
			return true
		}
	}
	return false
}

// expire drops the codes that are too old. They are in the order of age.
func (l *logins) expire() {
	for len(l.codes) > 0 && !l.now().Before(l.codes[0].until) {
		l.codes = l.codes[1:]
	}
}

// CreateLogin makes a link for a browser.
func (u *users) CreateLogin(context.Context, *tunedv1.CreateLoginRequest) (*tunedv1.CreateLoginResponse, error) {
	url, until := u.NewLogin()
	if url == "" {
		return nil, fail(reasonState, "the daemon serves its socket alone, which no browser reaches: start it with --listen")
	}
	return &tunedv1.CreateLoginResponse{Url: url, ExpireTime: timestamppb.New(until)}, nil
}

var errOldLink = fail(reasonUnauthenticated, "this link was opened before, or is older than %d minutes: tuned login makes another", int(loginLife.Minutes()))

// logIn gives a browser that opens a link its cookie, and takes the code out of its address.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || s.UserToken == "" || !s.logins.use(r.URL.Query().Get("login")) {
		err := s.guard.stranger(connOf(r), true)
		if errors.Is(err, errWrongToken) {
			err = errOldLink
		}
		s.turnAway(w, r, err)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.guard.session(s.Now().Add(sessionLife)), Path: "/", MaxAge: int(sessionLife.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: connOf(r).secure,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// session is what a browser keeps in place of the user's token, until a time: of no use to anything but HTTP requests.
// Another user's token makes it worthless.
func (a *authority) session(until time.Time) string {
	text := strconv.FormatInt(until.Unix(), 10)
	return text + "." + a.seal(text)
}

func (a *authority) seal(until string) string {
	mac := hmac.New(sha256.New, []byte(a.UserToken))
	_, _ = mac.Write([]byte("session of a browser until " + until)) // never fails, see hash.Hash
	return hex.EncodeToString(mac.Sum(nil))
}

// inSession reports whether a cookie is one of ours, and not too old.
func (a *authority) inSession(cookie string) bool {
	text, seal, _ := strings.Cut(cookie, ".")
	until, err := strconv.ParseInt(text, 10, 64)
	return a.UserToken != "" && err == nil && same(seal, a.seal(text)) && a.Now().Before(time.Unix(until, 0))
}
