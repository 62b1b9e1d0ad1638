// Command noisy stands in for a training program: it notes that it ran, and prints a value every
// few milliseconds.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	runs := flag.String("runs", "", "file to which a line is appended per run")
	lines := flag.Int("lines", 30, "values to print")
	every := flag.Duration("every", 20*time.Millisecond, "time between them")
	x := flag.Float64("x", 0, "parameter")
	flag.Parse()
	f, err := os.OpenFile(*runs, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getenv("TUNED_TRIAL_NAME"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := range *lines {
		fmt.Printf("loss=%g\n", *x+1/float64(i+1))
		time.Sleep(*every)
	}
}
