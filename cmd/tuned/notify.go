package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// notifier tells a service manager how the daemon stands, as sd_notify(3) describes. "" tells nobody.
type notifier string

// newNotifier takes the manager's socket out of the environment, for trials are none of its business.
func newNotifier(getenv func(string) string) (notifier, error) {
	const variable = "NOTIFY_SOCKET"
	n := notifier(getenv(variable))
	return n, os.Unsetenv(variable)
}

// tell sends assignments such as READY=1.
func (n notifier) tell(state ...string) error {
	if n == "" {
		return nil
	}
	name := string(n)
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:] // in the abstract namespace
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(state, "\n"))); err != nil {
		return fmt.Errorf("tell the service manager: %w", err)
	}
	return nil
}
