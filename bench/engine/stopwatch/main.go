// Command stopwatch is the training program of the measurements: it takes a while, prints one
// metric, and notes when it started and when it ended.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

func main() {
	started := time.Now()
	if err := run(started, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "stopwatch:", err)
		os.Exit(1)
	}
}

// run takes a file for the note, a duration D and a number x within [0, 1]. It takes
// (0.5 + x) * D, so that trials that start together do not end together.
func run(started time.Time, args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want FILE DURATION X, got %q", args)
	}
	mean, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	x, err := strconv.ParseFloat(args[2], 64)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Printf("loss=%v\n", x)
	if mean > 0 {
		<-time.After(time.Duration((0.5 + x) * float64(mean)))
	}
	// One write of a short line is not mixed with those of other processes. Both times are wall
	// time, the one clock that all processes share and Go reads.
	if _, err := fmt.Fprintf(file, "%d %d\n", started.UnixNano(), time.Now().UnixNano()); err != nil {
		return err
	}
	return file.Close()
}
