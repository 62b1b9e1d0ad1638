package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tuned-hpo/tuned/pkg/store"
)

const serveHelp = `Run the daemon: it drives all experiments of a data directory, several at the same time, and
serves the API, gRPC and HTTP, on a socket in the data directory and on --listen. Experiments
come by tuned submit or over the API; those that are stored go on where they stood.

Users of --listen show the token that lies in the data directory as token, made at the first
start; commands on this machine need none.

SIGTERM or Ctrl-C ends it: requests under way are answered, for at most 10 s, and trials that
run go on under their agents, to be taken up by the next start. A second signal hurries.

Exit codes: 0 ended by a signal; 74 the store could not be written to, and a restart goes on with
what was acknowledged; 75 another daemon has the data directory; 2 wrong flags or config; 1 other.`

// drainTime is how long requests may take to be answered when the daemon ends.
const drainTime = 10 * time.Second

// serveFlags are the flags of the serve command as given.
type serveFlags struct {
	machineFlags
	listen    string
	tlsCert   string
	tlsKey    string
	tokenFile string
	hosts     []string
	insecure  bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:        "serve",
		SuggestFor: []string{"daemon", "server", "up"},
		Short:      "Run the daemon, which drives experiments and serves the API",
		Long:       serveHelp,
		Args:       words(0, 0, "no words"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.serve(c.Context(), &f, c.Flags())
		},
	}
	f.register(c, a.getenv)
	s := c.Flags()
	s.StringVar(&f.listen, "listen", defaultListen, "`HOST:PORT` of the API beside the socket, or none")
	s.StringVar(&f.tlsCert, "tls-cert", "", "PEM `FILE` with the certificate of the API")
	s.StringVar(&f.tlsKey, "tls-key", "", "PEM `FILE` with its key")
	s.StringVar(&f.tokenFile, "token-file", "", "`FILE` of the users' token; default token in the data directory")
	s.StringSliceVar(&f.hosts, "host", nil, "`NAMES` under which browsers reach the API, beside those of the certificate")
	s.BoolVar(&f.insecure, "insecure-listen", false, "listen without TLS where others can read what is sent, the token too")
	return c
}

// configure returns the settings: defaults, then the config file, then flags.
func (f *serveFlags) configure(given *pflag.FlagSet, getenv func(string) string) (config, error) {
	c, err := f.settings(given, getenv)
	if err != nil {
		return c, err
	}
	c.lay(given, map[string]override{
		"listen":          {"listen", func() { c.Listen = f.listen }},
		"tls-cert":        {"tlsCert", func() { c.TLSCert = f.tlsCert }},
		"tls-key":         {"tlsKey", func() { c.TLSKey = f.tlsKey }},
		"token-file":      {"tokenFile", func() { c.TokenFile = f.tokenFile }},
		"host":            {"hosts", func() { c.Hosts = f.hosts }},
		"insecure-listen": {"insecureListen", func() { c.InsecureListen = f.insecure }},
	})
	return c, c.finish()
}

func (a *app) serve(parent context.Context, f *serveFlags, given *pflag.FlagSet) error {
	cfg, err := f.configure(given, a.getenv)
	if err != nil {
		return err
	}
	syscall.Umask(0o077) // before the store makes files that others may read
	manager, err := newNotifier(a.getenv)
	if err != nil {
		return err
	}
	shown, err := cfg.certificate()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	ctx, second, stop := interruptible(parent)
	defer stop()
	outliveWrites()
	signalled := ctx
	ctx, d, err := a.startDaemon(ctx, &cfg, role{
		prepare: cfg.prepare, tcp: cfg.Listen != listenNone, hosts: append(cfg.Hosts, shown.names()...), also: a.serveLog(), drain: drainTime,
		shown: shown,
	})
	if cutShort(signalled, err) {
		return nil
	}
	if err != nil {
		err = fmt.Errorf("serve: %w", err)
		if errors.Is(err, store.ErrLocked) {
			return exit{exitBusy, err}
		}
		return err
	}
	err = a.serveUntil(ctx, d, &cfg, shown, manager)
	told := manager.tell("STOPPING=1")
	hurry, cancel := unlessHurried(ctx, second)
	defer cancel()
	if err == nil {
		d.linger(hurry, time.Duration(cfg.ShutdownDelay))
	}
	d.log.Info().Msg("daemon ends")
	return errors.Join(err, told, d.close(hurry))
}

// unlessHurried returns a context that outlives ctx and ends with a second signal.
func unlessHurried(ctx context.Context, second <-chan os.Signal) (context.Context, context.CancelFunc) {
	hurry, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-second:
			cancel()
		case <-hurry.Done():
		}
	}()
	return hurry, cancel
}

// serveUntil opens the API to others, sets going what is stored, and returns when the daemon must end.
func (a *app) serveUntil(ctx context.Context, d *daemon, cfg *config, shown *certificate, manager notifier) error {
	settings, err := json.Marshal(cfg.inForce())
	if err != nil {
		return err
	}
	d.log.Info().RawJSON("config", settings).Msg("settings")
	url, err := d.listenTCP(ctx, cfg, shown)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	if err := d.tuner.Start(ctx); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serve: take up what is stored: %w", err)
	}
	d.server.Announce(url)
	d.log.Info().Str("url", url).Str("dataDir", string(d.dir)).Msg("ready")
	a.banner(d, cfg, url)
	if err := manager.tell("READY=1", "STATUS=serves "+url); err != nil {
		d.log.Warn().Err(err).Msg("the service manager was not told")
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, errInterrupted) && !errors.Is(cause, context.Canceled) {
		return fmt.Errorf("serve: %w", cause)
	}
	return nil
}

// listenTCP serves the API on TCP and returns its URL; "" when only the socket is served.
func (d *daemon) listenTCP(ctx context.Context, cfg *config, shown *certificate) (url string, err error) {
	if cfg.Listen == listenNone {
		return "", nil
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return "", fmt.Errorf("%w; give another --listen, or none", err)
	}
	if shown == nil {
		d.serve(func() error { return d.server.Serve(listener) })
		return "http://" + listener.Addr().String(), nil
	}
	_ = shown.current(d.log) // says what is wrong with it before anybody meets it
	d.serve(func() error { return d.server.ServeTLS(listener, shown.config(d.log)) })
	return "https://" + listener.Addr().String(), nil
}

// serveLog is where the log goes beside its file: to standard error, unless that is a terminal, which gets
// the banner.
func (a *app) serveLog() io.Writer {
	if a.errTerminal != nil {
		return nil
	}
	return a.stderr
}

// banner tells a person at a terminal where the API is.
func (a *app) banner(d *daemon, cfg *config, url string) {
	if a.errTerminal == nil {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "tuned %s serves the experiments of %s\n", version, d.dir)
	if url != "" {
		link, until := d.server.NewLogin()
		fmt.Fprintf(&b, "\n  Open    %s\n          It is good for one time, until %s; tuned login prints another.\n", link, until.Format(time.TimeOnly))
		fmt.Fprintf(&b, "  API     %s, with the token in %s\n", url, cfg.tokenFile())
	}
	fmt.Fprintf(&b, "  Log     %s\n", d.dir.log())
	fmt.Fprintf(&b, "\nIn another terminal: tuned submit FILE, tuned get, tuned doctor. Ctrl-C ends the daemon; trials go on.\n")
	if cfg.InsecureListen && cfg.TLSCert == "" {
		fmt.Fprintf(&b, "\nWARNING: %s has no TLS: whoever is between can read the token and act with it.\n", url)
	}
	_, _ = io.WriteString(a.stderr, b.String()) // nobody is left to tell
}

// tokenFile is where the users' token lies.
func (c *config) tokenFile() string {
	if c.TokenFile != "" {
		return c.TokenFile
	}
	return dataDir(c.DataDir).tokenFile()
}
