package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// front accepts connections and hands each to gRPC or to HTTP, by its first bytes.
type front struct {
	greeting   time.Duration
	slots      chan struct{} // one for each connection that may be open
	strangers  *tally        // connections by address, whose peers have shown no right token yet
	trials     *tally        // connections by trial
	grpc, http *handoff

	mu        sync.Mutex
	listeners map[net.Listener]struct{} // nil once closed
	unsorted  map[*conn]struct{}        // have not sent their first bytes yet
	sorting   sync.WaitGroup
}

func newFront(l Limits) *front {
	return &front{
		greeting: l.Greeting, slots: make(chan struct{}, l.Connections), strangers: newTally(l.Strangers), trials: newTally(l.PerTrial),
		grpc: newHandoff(), http: newHandoff(), listeners: map[net.Listener]struct{}{}, unsorted: map[*conn]struct{}{},
	}
}

// serve accepts connections until the front is closed, which it may be already. With a TLS config they speak TLS.
func (f *front) serve(l net.Listener, c *tls.Config) error {
	f.mu.Lock()
	if f.listeners == nil {
		f.mu.Unlock()
		return l.Close()
	}
	f.listeners[l] = struct{}{}
	f.mu.Unlock()
	for pause := time.Duration(0); ; {
		raw, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			f.accept(raw, c)
		case f.closed():
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		default: // out of file descriptors, or the peer is gone already
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			f.rest(pause)
		}
	}
}

// accept lets a connection in unless there are too many.
func (f *front) accept(raw net.Conn, c *tls.Config) {
	select {
	case f.slots <- struct{}{}:
	default:
		_ = raw.Close() // the peer sees why soon enough
		return
	}
	in := &conn{Conn: raw, local: ownPeer(raw), secure: c != nil, front: f}
	if !in.local && !in.countAs(f.strangers, in.address()) {
		_ = in.Close()
		return
	}
	if c != nil {
		in.Conn = tls.Server(raw, c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners == nil {
		_ = in.Close()
		return
	}
	f.unsorted[in] = struct{}{}
	f.sorting.Go(func() { f.sort(in) })
}

// preface is how every HTTP/2 connection begins, and so every one of gRPC.
const preface = "PRI "

// sort reads the first bytes of a connection and hands it on.
func (f *front) sort(c *conn) {
	_ = c.SetDeadline(deadline(f.greeting))
	head := make([]byte, len(preface))
	_, err := io.ReadFull(c.Conn, head)
	f.mu.Lock()
	delete(f.unsorted, c)
	f.mu.Unlock()
	if err != nil {
		_ = c.Close()
		return
	}
	_ = c.SetDeadline(time.Time{})
	c.head = head
	to := f.http
	if bytes.Equal(head, []byte(preface)) {
		to = f.grpc
	}
	to.give(c)
}

// deadline is when something on a connection must be done. It is read off the machine's clock, which it is compared with:
// one that Config.Now sets otherwise would cut connections off, or never.
func deadline(d time.Duration) time.Time { return time.Now().Add(d) }

// rest waits, unless the front is closed first.
func (f *front) rest(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-f.grpc.done:
	}
}

func (f *front) closed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listeners == nil
}

// close closes the listeners, and the connections that have sent nothing yet.
func (f *front) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var err error
	for l := range f.listeners {
		err = errors.Join(err, l.Close())
	}
	f.listeners = nil
	for c := range f.unsorted {
		_ = c.Close()
	}
	return err
}

// end lets no connection through any more.
func (f *front) end() {
	_ = f.grpc.Close()
	_ = f.http.Close()
	f.sorting.Wait()
}

// conn is a connection with what is known of its peer.
type conn struct {
	net.Conn
	head   []byte // read already
	local  bool   // the peer is a process of the daemon's own user
	secure bool   // it speaks TLS
	front  *front

	mu         sync.Mutex
	closed     bool
	recognised bool   // the peer has shown a right token
	uncount    func() // takes back how it is counted; nil when it is not
}

// countAs counts the connection by a name, in place of what it was counted as, unless there are too many.
func (c *conn) countAs(t *tally, name string) bool {
	if !t.take(name) {
		return false
	}
	if c.uncount != nil {
		c.uncount()
	}
	c.uncount = func() { t.give(name) }
	return true
}

// recognise notes that the peer has shown a right token: that of a trial, or "" for the user's. What counts is
// the first one.
func (c *conn) recognise(trial string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.front == nil || c.closed || c.recognised {
		return true
	}
	if trial != "" {
		c.recognised = c.countAs(c.front.trials, trial)
		return c.recognised
	}
	if c.uncount != nil {
		c.uncount()
	}
	c.recognised, c.uncount = true, nil
	return true
}

// unix reports whether the peer is on the same machine, on a Unix socket.
func (c *conn) unix() bool {
	return c.Conn != nil && c.LocalAddr().Network() == "unix"
}

// Read yields what was read already first.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.head) > 0 {
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close closes the connection and makes room for another.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		<-c.front.slots
		if c.uncount != nil {
			c.uncount()
		}
	}
	return c.Conn.Close()
}

// handoff is a net.Listener whose connections another one has accepted.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandoff() *handoff { return &handoff{conns: make(chan net.Conn), done: make(chan struct{})} }

func (h *handoff) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.done:
		_ = c.Close()
	}
}

// Accept implements net.Listener.
func (h *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handoff) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

// Addr implements net.Listener.
func (h *handoff) Addr() net.Addr { return &net.UnixAddr{Net: "handoff"} }
