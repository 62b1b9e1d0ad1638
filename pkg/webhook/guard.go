package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Resolver looks up the addresses of a host.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// guard opens connections to the public internet and to what is allowed beside it. It looks at the
// address that is connected to, after the name was resolved: what a name leads to may change from one
// moment to the next.
type guard struct {
	hosts    []string // whatever they lead to
	networks []netip.Prefix
	resolver Resolver
}

// newGuard reads a list of hosts, addresses and networks.
func newGuard(allow []string, r Resolver) (*guard, error) {
	g := &guard{resolver: r}
	if r == nil {
		g.resolver = net.DefaultResolver
	}
	for _, text := range allow {
		if network, err := netip.ParsePrefix(text); err == nil {
			g.networks = append(g.networks, network.Masked())
			continue
		}
		if address, err := netip.ParseAddr(text); err == nil {
			g.networks = append(g.networks, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
			continue
		}
		if text == "" || strings.ContainsAny(text, "/: *") {
			return nil, fmt.Errorf("allow: %q is no host, no address and no network", text)
		}
		g.hosts = append(g.hosts, strings.ToLower(text))
	}
	return g, nil
}

// client returns a client that goes where the guard lets it, and nowhere else: not through a proxy,
// which would go there in its place, and not on to where an answer points.
func (g *guard) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext: g.dial, Proxy: nil, MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: maxAttempts,
			IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// dial connects to the first address of a host that may be connected to and answers.
func (g *guard) dial(ctx context.Context, network, hostPort string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	addresses, err := g.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	anywhere := slices.Contains(g.hosts, strings.ToLower(strings.TrimSuffix(host, ".")))
	dialer := net.Dialer{ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if anywhere {
			return nil
		}
		return g.check(address)
	}}
	var faults []error
	for _, address := range addresses {
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(address.String(), port))
		if err == nil {
			return conn, nil
		}
		faults = append(faults, err)
	}
	return nil, errors.Join(faults...)
}

// lookup returns the addresses of a host, which may be one itself.
func (g *guard) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	addresses, err := g.resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addresses) == 0 {
		err = errors.New("the name has no address")
	}
	return addresses, err
}

// check refuses an address and port that is neither public nor allowed.
func (g *guard) check(addressPort string) error {
	to, err := netip.ParseAddrPort(addressPort)
	if err != nil {
		return err
	}
	address := to.Addr().WithZone("").Unmap()
	within := func(p netip.Prefix) bool { return p.Contains(address) }
	switch {
	case slices.ContainsFunc(g.networks, within):
		return nil
	case !address.IsGlobalUnicast() || address.IsPrivate() || slices.ContainsFunc(special, within):
		return fmt.Errorf("%s is no address of the public internet, and the daemon's configuration does not allow it", address)
	}
	return nil
}

// special are networks that no server of the public internet is in, beside those that package netip
// knows of; and those that stand for addresses of IPv4, which may be any. From the registries of
// special-purpose addresses, RFC 6890.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this host
	netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers; also of some clouds' metadata
	netip.MustParsePrefix("192.0.0.0/24"),    // protocols
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // measurements
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // future use, broadcast
	netip.MustParsePrefix("::/96"),           // IPv4, as it once was
	netip.MustParsePrefix("64:ff9b::/96"),    // IPv4 behind a translator
	netip.MustParsePrefix("64:ff9b:1::/48"),  // the same, local
	netip.MustParsePrefix("100::/64"),        // discarded
	netip.MustParsePrefix("2001::/23"),       // protocols, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // IPv4 in 6to4
	netip.MustParsePrefix("fec0::/10"),       // site-local, as it once was
}
