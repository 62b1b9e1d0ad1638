package webhook

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

func TestGuard(t *testing.T) {
	g, err := newGuard([]string{"10.1.0.0/16", "192.168.7.7", "fd00:1::/32", "Receiver.internal"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		address string
		open    bool
	}{
		{"8.8.8.8", true},
		{"[2606:4700::1]", true},
		{"127.0.0.1", false},
		{"127.8.8.8", false},
		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"10.0.0.1", false},
		{"10.1.0.1", true},
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"172.32.0.1", true},
		{"192.168.7.7", true},
		{"192.168.7.8", false},
		{"169.254.169.254", false},
		{"100.100.100.200", false},
		{"192.0.0.192", false},
		{"198.18.0.1", false},
		{"224.0.0.1", false},
		{"239.1.1.1", false},
		{"255.255.255.255", false},
		{"[::1]", false},
		{"[::]", false},
		{"[::ffff:127.0.0.1]", false},
		{"[::ffff:10.1.0.1]", true},
		{"[::ffff:169.254.169.254]", false},
		{"[::7f00:1]", false},
		{"[64:ff9b::7f00:1]", false},
		{"[2002:7f00:1::]", false},
		{"[fe80::1%25lo]", false},
		{"[fe80::1]", false},
		{"[fc00::1]", false},
		{"[fd00:ec2::254]", false},
		{"[fd00:1::5]", true},
		{"[fec0::1]", false},
		{"[ff02::1]", false},
	}
	for _, tt := range tests {
		if err := g.check(tt.address + ":443"); (err == nil) != tt.open {
			t.Errorf("%s: got %v, want it open: %t", tt.address, err, tt.open)
		}
	}
}

func TestGuardRefusesWhatIsNoHost(t *testing.T) {
	for _, text := range []string{"", "http://x", "10.0.0.0/33", "a b", "*.internal", "host:80"} {
		if _, err := newGuard([]string{text}, nil); err == nil {
			t.Errorf("%q is taken for a host", text)
		}
	}
}

// nameserver answers A queries over UDP, with the addresses in turn.
type nameserver struct {
	conn      net.PacketConn
	addresses []netip.Addr
	asked     atomic.Int32
}

func newNameserver(t *testing.T, addresses ...string) (*nameserver, Resolver) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameserver{conn: conn}
	for _, a := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(a))
	}
	done := make(chan struct{})
	go func() { defer close(done); n.serve() }()
	t.Cleanup(func() { conn.Close(); <-done })
	return n, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *nameserver) serve() {
	query := make([]byte, 512)
	for {
		size, from, err := n.conn.ReadFrom(query)
		if err != nil {
			return
		}
		_, _ = n.conn.WriteTo(n.answer(query[:size]), from)
	}
}

// answer is that to a query of one question, RFC 1035.
func (n *nameserver) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the end of the name, type and class
	out := append([]byte{}, query[:end]...)
	binary.BigEndian.PutUint16(out[2:], 0x8180) // a response, recursion was wanted and is there
	binary.BigEndian.PutUint16(out[8:], 0)
	binary.BigEndian.PutUint16(out[10:], 0)
	if binary.BigEndian.Uint16(out[end-4:]) != 1 { // no other type has records
		return out
	}
	binary.BigEndian.PutUint16(out[6:], 1)
	address := n.addresses[min(int(n.asked.Add(1)), len(n.addresses))-1].As4()
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4) // the name, type, class, no time to live, four bytes
	return append(out, address[:]...)
}

// TestRebinding has a name that leads to the public internet when it is first looked up, and to this
// machine after that.
func TestRebinding(t *testing.T) {
	r := newReceiver(t)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	tests := []struct {
		name  string
		allow []string
		comes bool
	}{
		{"refused", []string{"elsewhere.example"}, false},
		{"the host is allowed", []string{"rebind.example"}, true},
		{"the address is allowed", []string{"127.0.0.0/8"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := r.state()
			// 192.0.2.1 is of no public server, and so refused; the second look-up, for the connection of
			// the next attempt, gives the address of this machine.
			n, resolver := newNameserver(t, "192.0.2.1", "127.0.0.1")
			l := newLife(t, Config{Allow: tt.allow, Resolver: resolver, Timeout: 2 * time.Second})
			l.create("e", experiment.Webhook{URL: "http://rebind.example:" + port})
			if tt.comes {
				r.untilN(t, len(before)+1)
			} else {
				l.until("refused again and again", func() bool { return l.outcomes("failed") >= 5 })
			}
			l.stop()
			after, refused := r.state()
			if came := len(after)+refused > len(before); came != tt.comes {
				t.Errorf("a message came: %t, want %t", came, tt.comes)
			}
			if n.asked.Load() < 2 {
				t.Errorf("the name was looked up %d times", n.asked.Load())
			}
		})
	}
}

func TestLoopbackIsRefusedByDefault(t *testing.T) {
	r := newReceiver(t)
	l := newLife(t, Config{Allow: []string{}})
	l.create("e", experiment.Webhook{URL: r.URL})
	l.create("f", experiment.Webhook{URL: strings.Replace(r.URL, "127.0.0.1", "localhost", 1)})
	l.until("refused", func() bool { return l.outcomes("failed") >= 6 })
	l.stop()
	if got, refused := r.state(); len(got)+refused > 0 {
		t.Error("a message was sent to this machine")
	}
}
