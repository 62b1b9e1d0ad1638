package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/pflag"
)

// wholeNumber is the value of a flag that takes whole numbers of a range, whose ends are among them.
type wholeNumber[N int | int32 | int64 | uint64] struct {
	into        *N
	least, most N
}

// wholeVar adds a flag that takes whole numbers from least to most.
func wholeVar[N int | int32 | int64 | uint64](s *pflag.FlagSet, into *N, name string, given, least, most N, text string) {
	*into = given
	s.Var(&wholeNumber[N]{into, least, most}, name, text)
}

// countVar adds a flag that takes a number of trials, from least on.
func countVar(s *pflag.FlagSet, into *int32, name string, given, least int32, text string) {
	wholeVar(s, into, name, given, least, math.MaxInt32, text)
}

// String implements pflag.Value.
func (w *wholeNumber[N]) String() string {
	if w.into == nil {
		return "0"
	}
	return fmt.Sprint(*w.into)
}

// Type implements pflag.Value.
func (w *wholeNumber[N]) Type() string { return "N" }

// Set implements pflag.Value.
func (w *wholeNumber[N]) Set(text string) error {
	if n, err := strconv.ParseUint(text, 0, 64); err == nil && n <= uint64(w.most) && N(n) >= w.least {
		*w.into = N(n)
		return nil
	}
	return fmt.Errorf("want %s", w.want())
}

// want says which values the flag takes.
func (w *wholeNumber[N]) want() string {
	return fmt.Sprintf("a whole number from %d to %d", w.least, w.most)
}
