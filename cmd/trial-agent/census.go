package main

import (
	"os"
	"slices"
	"time"

	"github.com/tuned-hpo/tuned/pkg/trialrunner/trialdir"
)

const (
	firstLook = 50 * time.Millisecond // after the command's start; the time doubles from look to look
	lastLook  = time.Second
	lookShare = 100 // a look may take this part of the time: it goes through all processes there are
)

// census writes down which processes descend from the agent, for who must end them when the agent
// is killed: those that changed environment, session and parent are told by nothing else.
type census struct {
	root   *os.Root
	notes  *notes
	self   trialdir.Process
	last   []trialdir.Process
	ending chan struct{}
	done   chan struct{}
}

func newCensus(root *os.Root, self trialdir.Process, notes *notes) *census {
	return &census{root: root, self: self, notes: notes, ending: make(chan struct{}), done: make(chan struct{})}
}

// begin looks again and again until end is called.
func (c *census) begin() {
	go func() {
		defer close(c.done)
		timer := time.NewTimer(firstLook)
		defer timer.Stop()
		for wait := firstLook; ; {
			select {
			case <-c.ending:
				return
			case <-timer.C:
			}
			before := time.Now()
			c.look()
			wait = max(min(2*wait, lastLook), lookShare*time.Since(before))
			timer.Reset(wait)
		}
	}()
}

func (c *census) end() {
	close(c.ending)
	<-c.done
}

func (c *census) look() {
	found, err := c.self.Descendants()
	if err == nil && slices.Equal(found, c.last) {
		return
	}
	if err == nil {
		err = trialdir.Write(c.root, trialdir.ProcessesFile, found, false)
	}
	if err != nil {
		c.notes.add("write down the processes: %v", err)
		return
	}
	c.last = found
}
