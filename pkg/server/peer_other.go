//go:build !linux

package server

import "net"

// ownPeer trusts no peer where the kernel is not asked who it is: a token is needed.
func ownPeer(net.Conn) bool { return false }
