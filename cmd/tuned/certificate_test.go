package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

const day = 24 * time.Hour

// shelf is a certificate in files that a test renews, under a clock of its own.
type shelf struct {
	*certificate
	t    *testing.T
	dir  string
	time time.Time
	puts int
	log  bytes.Buffer
}

func newShelf(t *testing.T, from, to time.Duration) *shelf {
	t.Helper()
	s := &shelf{t: t, dir: t.TempDir(), time: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	cert, key := s.put(from, to)
	var err error
	if s.certificate, err = openCertificate(cert, key, func() time.Time { return s.time }); err != nil {
		t.Fatal(err)
	}
	return s
}

// put writes a certificate that is valid from and to so long from now, with a number of its own.
func (s *shelf) put(from, to time.Duration) (cert, key string) {
	s.t.Helper()
	s.puts++
	cert, key = writeCertificateOf(s.t, s.dir, fmt.Sprint(s.puts), s.time.Add(from), s.time.Add(to))
	changed := time.Unix(int64(s.puts), 0) // however coarse the clock of the file system is
	for _, path := range []string{cert, key} {
		if err := os.Chtimes(path, changed, changed); err != nil {
			s.t.Fatal(err)
		}
	}
	return cert, key
}

// look returns the number of the certificate that is shown, and what is logged at that.
func (s *shelf) look() (number int, logged string) {
	s.log.Reset()
	shown := s.current(zerolog.New(&s.log))
	return int(shown.Leaf.SerialNumber.Int64()), s.log.String()
}

// TestCertificateIsWarnedOf: what is wrong with a certificate is logged once for each step towards its end.
func TestCertificateIsWarnedOf(t *testing.T) {
	tests := []struct {
		name     string
		from, to time.Duration
		later    time.Duration
		want     string // in the log; "" for nothing
	}{
		{"good", -day, 60 * day, 0, ""},
		{"good, later too", -day, 60 * day, 29 * day, ""},
		{"a month left", -day, 30 * day, 0, "expires at 2030-01-31T00:00:00Z"},
		{"a week left", -day, 40 * day, 33 * day, "expires at 2030-02-10"},
		{"a day left", -day, 40 * day, 39 * day, "expires at 2030-02-10"},
		{"expired", -2 * day, -day, 0, "has expired at 2029-12-31"},
		{"expired by and by", -day, day, 2 * day, "has expired at 2030-01-02"},
		{"not valid yet", day, 60 * day, 0, "is not valid before 2030-01-02"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(t, tt.from, tt.to)
			s.time = s.time.Add(tt.later)
			if _, got := s.look(); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("logged %q, want %q", got, tt.want)
			}
			if _, got := s.look(); got != "" {
				t.Errorf("logged once more: %q", got)
			}
		})
	}
	s := newShelf(t, -day, 31*day)
	warnings := 0
	for range 33 {
		if _, got := s.look(); got != "" {
			warnings++
		}
		s.time = s.time.Add(day)
	}
	if warnings != len(endsIn) {
		t.Errorf("%d warnings in the course of its time, want %d", warnings, len(endsIn))
	}
}

// TestCertificateIsRenewed: one that is not valid does not replace one that is, and the reverse.
func TestCertificateIsRenewed(t *testing.T) {
	tests := []struct {
		name     string
		from, to time.Duration // of the first one
		nextFrom time.Duration
		nextTo   time.Duration
		want     int // number of the one that is shown
		logged   string
	}{
		{"good by good", -day, 60 * day, -day, 90 * day, 2, ""},
		{"good by expired", -day, 60 * day, -2 * day, -day, 1, "has expired at 2029-12-31"},
		{"good by one for later", -day, 60 * day, day, 90 * day, 1, "is not valid before 2030-01-02"},
		{"expired by good", -2 * day, -day, -day, 90 * day, 2, ""},
		{"expired by expired", -2 * day, -day, -3 * day, -2 * day, 2, "has expired at 2029-12-30"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newShelf(t, tt.from, tt.to)
			s.look()
			s.put(tt.nextFrom, tt.nextTo)
			got, logged := s.look()
			if got != tt.want || tt.logged == "" && logged != "" || !strings.Contains(logged, tt.logged) {
				t.Errorf("number %d is shown, want %d; logged %q, want %q", got, tt.want, logged, tt.logged)
			}
			if _, again := s.look(); again != "" {
				t.Errorf("logged once more: %q", again)
			}
		})
	}
	s := newShelf(t, -day, 60*day)
	s.put(day, 90*day)
	s.look()
	s.time = s.time.Add(2 * day)
	if got, _ := s.look(); got != 2 {
		t.Errorf("number %d is shown once the next one has become valid, want 2", got)
	}
}

func TestKeyThatOthersCanRead(t *testing.T) {
	for mode, want := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		s := newShelf(t, -day, 60*day)
		_, key := s.put(-day, 60*day)
		if err := os.Chmod(key, mode); err != nil {
			t.Fatal(err)
		}
		_, logged := s.look()
		if got := strings.Contains(logged, fmt.Sprintf("can be read by others (mode %#o)", mode)); got != want {
			t.Errorf("mode %#o: logged %q", mode, logged)
		}
	}
}

// TestServeWithAnExpiredCertificate starts a daemon with one: its log says so, and its metrics say when it ended.
func TestServeWithAnExpiredCertificate(t *testing.T) {
	dir := writeExperiment(t)
	end := time.Now().Add(-time.Hour)
	cert, key := writeCertificateOf(t, dir, "1", end.Add(-day), end)
	s := startServe(t, dir, "--tls-cert", cert, "--tls-key", key)
	s.exits(exitOK, syscall.SIGTERM)
	text, err := os.ReadFile(dir + "/d/tuned.log")
	if err != nil {
		t.Fatal(err)
	}
	if want := "the TLS certificate has expired at " + end.UTC().Format(time.RFC3339); !strings.Contains(string(text), want) {
		t.Errorf("the log has no %q:\n%s", want, text)
	}
}
