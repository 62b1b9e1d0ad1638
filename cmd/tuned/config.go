package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tuned-hpo/tuned/pkg/experiment"
	"github.com/tuned-hpo/tuned/pkg/trace"
	"github.com/tuned-hpo/tuned/pkg/trialrunner/local"
	"github.com/tuned-hpo/tuned/pkg/webhook"
)

// config is what tuned serve and tuned run take from --config and flags; flags win. Commands and URLs
// may hold secrets: it is shown as inForce returns it.
type config struct {
	DataDir         string                 `json:"dataDir"`         // all state; created with mode 0700
	TemplateDir     string                 `json:"templateDir"`     // stands in for ConfigMaps; "" for none
	Images          map[string]commandLine `json:"images"`          // image to the command that stands in for its program
	CPUs            int                    `json:"cpus"`            // CPU slots for all trials together; 0 means one per CPU
	GPUs            []string               `json:"gpus"`            // GPU ids for all trials together
	AllowRemote     bool                   `json:"allowRemote"`     // the data directory may be on a network file system
	LogLevel        string                 `json:"logLevel"`        // of the daemon's log
	StopGrace       experiment.Duration    `json:"stopGrace"`       // between TERM and KILL, where the experiment sets none; 0 for 10s
	TrialTimeout    experiment.Duration    `json:"trialTimeout"`    // of a trial, where the experiment sets none; 0 for no limit
	ProgressTimeout experiment.Duration    `json:"progressTimeout"` // of silence, where the experiment sets none; 0 for no limit

	Webhooks webhook.Settings `json:"webhooks"` // see docs/webhooks.md
	Traces   trace.Settings   `json:"traces"`   // see docs/monitoring.md

	// Of tuned serve alone.
	Listen         string   `json:"listen"`         // HOST:PORT of the API beside the socket; none for the socket alone
	TLSCert        string   `json:"tlsCert"`        // PEM file; read anew when it changes
	TLSKey         string   `json:"tlsKey"`         // PEM file
	TokenFile      string   `json:"tokenFile"`      // of the users' token; made with mode 0600 when it is not there
	Hosts          []string `json:"hosts"`          // names under which browsers reach the API, beside those of the certificate
	InsecureListen bool     `json:"insecureListen"` // listen without TLS where others can listen in

	ShutdownDelay experiment.Duration `json:"shutdownDelay"` // requests are still served for so long once it is not ready any more

	file   string         // the config file
	places map[string]int // the lines of its keys that no flag won over
	unread []configFault  // what could not be read of it
}

// commandLine is a command as one text, see splitWords. In YAML it may be a list of words too.
type commandLine string

// UnmarshalJSON reads a text or a list of words.
func (c *commandLine) UnmarshalJSON(b []byte) error {
	var words []string
	if json.Unmarshal(b, &words) == nil {
		*c = commandLine(quoteWords(words))
		return nil
	}
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return errors.New("a command is a text or a list of words")
	}
	*c = commandLine(text)
	return nil
}

// inForce returns the settings to be shown: with what stands for those that are not given, and without secrets.
func (c *config) inForce() config {
	out := *c
	out.CPUs, out.TokenFile = c.slots(), c.tokenFile()
	if c.StopGrace == 0 {
		out.StopGrace = experiment.Duration(local.DefaultGrace)
	}
	out.Images = maps.Clone(c.Images)
	for image, command := range c.Images {
		shown := commandLine(experiment.Mask)
		if words, err := splitWords(string(command)); err == nil {
			shown = commandLine(quoteWords(experiment.MaskWords(words)))
		}
		out.Images[image] = shown
	}
	out.Webhooks.Hooks = experiment.MaskWebhooks(c.Webhooks.Hooks)
	out.Webhooks.Source = experiment.MaskURL(c.Webhooks.Source)
	out.Traces.Endpoint = experiment.MaskURL(c.Traces.Endpoint)
	return out
}

// defaultConfig returns the settings of a run without --config and flags.
func defaultConfig(getenv func(string) string) config {
	return config{DataDir: defaultDataDir(getenv), LogLevel: "info", Listen: defaultListen}
}

// defaultDataDir is a folder for state that survives reboots, by the XDG base directory rules.
func defaultDataDir(getenv func(string) string) string {
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "tuned-hpo")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "tuned-hpo")
	}
	return ""
}

// logLevels are those of the log, from the most talkative on.
var logLevels = []string{"debug", "info", "warn", "error"}

// mostSlots is more CPU slots than any machine has a use for.
const mostSlots = 1 << 20

// hostName is a name of labels, of which none is empty; package server compares it with what browsers send.
var hostName = regexp.MustCompile(`^[\pL\pN_-]+(\.[\pL\pN_-]+)*$`)

// validate reports every fault at once.
func (c *config) validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(c.DataDir == "", "dataDir: it is empty; give --data-dir, or set HOME or XDG_STATE_HOME")
	fault(c.CPUs < 0, "cpus: want at least 0, got %d", c.CPUs)
	fault(c.CPUs > mostSlots, "cpus: want at most %d, got %d", mostSlots, c.CPUs)
	fault(c.StopGrace < 0, "stopGrace: want at least 0s, got %v", time.Duration(c.StopGrace))
	fault(c.TrialTimeout < 0, "trialTimeout: want at least 0s, got %v", time.Duration(c.TrialTimeout))
	fault(c.ProgressTimeout < 0, "progressTimeout: want at least 0s, got %v", time.Duration(c.ProgressTimeout))
	fault(c.ShutdownDelay < 0, "shutdownDelay: want at least 0s, got %v", time.Duration(c.ShutdownDelay))
	fault(!slices.Contains(logLevels, c.LogLevel), "logLevel: want debug, info, warn or error, got %q", c.LogLevel)
	for _, name := range c.Hosts {
		fault(!hostName.MatchString(name), "hosts: %q is no name of a host; want one such as tuner.example.org, without a port", name)
	}
	seen := map[string]bool{}
	for _, id := range c.GPUs {
		fault(id == "" || strings.ContainsAny(id, ", "), "gpus: %q is no GPU id", id)
		fault(seen[id], "gpus: %q is listed twice", id)
		seen[id] = true
	}
	if _, err := c.images(); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, c.checkListen(), c.Webhooks.Validate(), c.Traces.Validate())
	return c.faulty(slices.Concat(c.unread, c.faultsOf(errors.Join(faults...))))
}

// images returns the commands of images, taken apart into words.
func (c *config) images() (map[string][]string, error) {
	out := map[string][]string{}
	var faults []error
	for image, command := range c.Images {
		words, err := splitWords(string(command))
		switch {
		case image == "":
			err = errors.New("want IMAGE=COMMAND, the image is empty")
		case err == nil && len(words) == 0:
			err = errors.New("the command is empty")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("images: %q: %w", image, err))
		}
		out[image] = words
	}
	return out, errors.Join(faults...)
}

// defaultListen is where the API is served beside the socket.
const defaultListen = "127.0.0.1:8080"

// listenNone is the value of listen that opens no port.
const listenNone = "none"

// checkListen refuses to listen where others could read tokens on their way.
func (c *config) checkListen() error {
	if c.Listen == listenNone {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if _, number := strconv.ParseUint(port, 10, 16); err == nil && number != nil {
		return fmt.Errorf("listen: want HOST:PORT with a port from 0 to 65535, got %q", c.Listen)
	}
	secure := c.TLSCert != "" && c.TLSKey != ""
	switch {
	case err != nil:
		return fmt.Errorf("listen: want HOST:PORT or none, got %q", c.Listen)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("tlsCert, tlsKey: give both or none")
	case !secure && !loopback(host) && !c.InsecureListen:
		return fmt.Errorf("listen: %s can be reached from other machines, and without TLS its token can be read on the way; "+
			"give --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure-listen", c.Listen)
	}
	return nil
}

// loopback reports whether a host is this machine alone.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// slots returns the number of CPU slots.
func (c *config) slots() int {
	if c.CPUs == 0 {
		return runtime.NumCPU()
	}
	return c.CPUs
}
