package main

import (
	"fmt"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// hint is a command line of this program that a message tells people to type: in backquotes, and such that it
// works when it is pasted.
func hint(words ...string) string { return "`" + commandLineOf(words) + "`" }

func commandLineOf(words []string) string { return quoteWords(append([]string{"tuned"}, words...)) }

// hint is a command about what is in the place: it looks where this one does.
func (p *place) hint(words ...string) string { return hint(append(words, p.where()...)...) }

// hintOn is a command about an experiment: tuned VERB NAME WORDS.
func (p *place) hintOn(key experiment.Key, verb string, words ...string) string {
	return hint(p.on(key, verb, words...)...)
}

// hintDriven is hintOn of a command that only a daemon can carry out: where there is none, what begins one comes first.
func (p *place) hintDriven(driven bool, key experiment.Key, verb string, words ...string) string {
	if driven {
		return p.hintOn(key, verb, words...)
	}
	return p.hintServe() + " and, beside it, " + p.hintOn(key, verb, words...)
}

// hintServe is the command that begins a daemon of the data directory.
func (p *place) hintServe() string { return hint(append([]string{"serve"}, p.whereData()...)...) }

// on is the words of a command about an experiment.
func (p *place) on(key experiment.Key, verb string, words ...string) []string {
	out := append([]string{verb, key.Name}, words...)
	if key.Namespace != defaultNamespace {
		out = append(out, "-n", key.Namespace)
	}
	return append(out, p.where()...)
}

// where returns the flags that lead another command to the same place.
func (p *place) where() []string {
	if p.server == "" {
		return p.whereData()
	}
	out := []string{"--server", p.server}
	if p.tokenFile != "" {
		out = append(out, "--token-file", p.tokenFile)
	}
	if p.caFile != "" {
		out = append(out, "--ca-file", p.caFile)
	}
	return out
}

// whereData returns the flag that leads another command to the same data directory.
func (p *place) whereData() []string {
	if given := p.given != nil && p.given("data-dir"); !given && p.dataDir == defaultDataDir(p.getenv) {
		return nil
	}
	return []string{"--data-dir", p.dataDir}
}

// noDaemon says how there comes to be a daemon.
func (p *place) noDaemon() error {
	return fmt.Errorf("%w; start one with %s, or name one with --server", errNoDaemon, p.hintServe())
}
