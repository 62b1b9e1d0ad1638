package server

import (
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// starved is a listener of a process that may open no more files, until it may.
type starved struct {
	net.Listener
	tries atomic.Int32
	conns chan net.Conn // nil: none may be opened
}

func (s *starved) Accept() (net.Conn, error) {
	s.tries.Add(1)
	select {
	case c, ok := <-s.conns:
		if !ok {
			return nil, net.ErrClosed
		}
		return c, nil
	default:
		return nil, os.NewSyscallError("accept4", syscall.EMFILE)
	}
}

func (s *starved) Close() error { return nil }

// TestAcceptBacksOff: who cannot accept a connection tries again each second, not all the time, and goes on.
func TestAcceptBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, l := newFront(DefaultLimits), &starved{conns: make(chan net.Conn, 1)}
		ended := make(chan error, 1)
		go func() { ended <- f.serve(l, nil) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := l.tries.Load(); n < 60 || n > 70 {
			t.Errorf("%d tries in a minute, want one each second, and some more at first", n)
		}
		ours, theirs := net.Pipe()
		l.conns <- theirs
		if _, err := ours.Write([]byte("GET ")); err != nil {
			t.Error(err)
		}
		c, err := f.http.Accept()
		if err != nil {
			t.Fatal(err)
		}
		close(l.conns)
		if err := <-ended; err != net.ErrClosed { //nolint:errorlint // it is passed on as it is
			t.Errorf("got %v, want %v", err, net.ErrClosed)
		}
		_ = c.Close()
		_ = ours.Close()
		f.end()
	})
}
