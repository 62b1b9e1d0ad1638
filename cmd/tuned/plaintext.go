package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strings"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// plainText is an error for people: without the kinds that errors carry for callers, and without the names of
// calls that programs make of the system.
func plainText(err error) string {
	text := err.Error()
	for _, kind := range []error{store.ErrConflict, store.ErrInvalid} {
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	text = strings.Replace(text, ": "+store.ErrLocked.Error(), "", 1)
	eachError(err, func(e error) {
		if words := systemWords(e); words != "" {
			text = strings.Replace(text, e.Error(), words, 1)
		}
	})
	return text
}

// systemWords is an error of the system as other programs print it, "x.yaml: no such file or directory"; "" for
// other errors.
func systemWords(err error) string {
	switch e := err.(type) { //nolint:errorlint // eachError takes the chain apart
	case *fs.PathError:
		return e.Path + ": " + e.Err.Error()
	case *os.LinkError:
		return e.New + ": " + e.Err.Error()
	case *os.SyscallError:
		return e.Err.Error()
	case *exec.Error:
		if errors.Is(e.Err, fs.ErrNotExist) {
			return e.Name + ": no such file or directory"
		}
		return e.Name + ": " + e.Err.Error()
	case *net.OpError:
		if e.Addr != nil {
			return e.Addr.String() + ": " + e.Err.Error()
		}
	}
	return ""
}

// eachError calls f with an error and those that it wraps, the outer ones first.
func eachError(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) { //nolint:errorlint // the chain is taken apart here
	case interface{ Unwrap() error }:
		eachError(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			eachError(inner, f)
		}
	}
}
