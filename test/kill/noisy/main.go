// Command noisy stands in for a training program: it notes that it ran, and prints a value every
// few milliseconds.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	runs := flag.String("runs", "", "file to which a line is appended per run")
	lines := flag.Int("lines", 30, "values to print")
	every := flag.Duration("every", 20*time.Millisecond, "time between them")
	x := flag.Float64("x", 0, "parameter")
	crash := flag.Bool("crash", false, "fail in the middle, the first time that the trial runs")
	flag.Parse()
	trial := os.Getenv("TUNED_TRIAL_NAME")
	f, err := os.OpenFile(*runs, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintln(f, trial)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	before, _ := os.ReadFile(*runs)
	first := strings.Count(string(before), trial+"\n") == 1
	for i := range *lines {
		if *crash && first && i == *lines/2 {
			os.Exit(3)
		}
		fmt.Printf("loss=%g\n", *x+1/float64(i+1))
		time.Sleep(*every)
	}
}
