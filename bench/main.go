// Command bench lets the built-in algorithms and their peers work on the same problems, and prints
// how they compare. README.md says what is measured, and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// commands are all there are.
var commands = []struct {
	name, does string
	run        func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}{
	{"run", "let optimizers work on suites of problems, and report", runCommand},
	{"report", "report once more what a run left in a folder", reportCommand},
	{"goals", "compare the figures of folders with the goals", goalsCommand},
	{"readme", "write the figures of bench/results into README.md", readmeCommand},
	{"termination", "replay runs, and end them where the model expects too little", terminationCommand},
	{"latency", "measure what a suggestion takes, and memory", latencyCommand},
	{"fidelity", "count the epochs that optimizers take which stop trials early", fidelityCommand},
	{"list", "list suites, algorithms and peers", listCommand},
}

// dispatch carries out the command that args name.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 1 && args[0] == childCommand {
		return latencyChild(os.Stdin, stdout)
	}
	var names []string
	usage := "usage: go run ./bench COMMAND [flags]\n"
	for _, c := range commands {
		if len(args) > 0 && args[0] == c.name {
			return c.run(ctx, args[1:], stdout, stderr)
		}
		names = append(names, c.name)
		usage += fmt.Sprintf("  %-11s %s\n", c.name, c.does)
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stderr, usage)
		return nil
	}
	return fmt.Errorf("no command %q; want one of %s", args[0], strings.Join(names, ", "))
}

// newFlags returns the flags of a command.
func newFlags(command, arguments string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet(command, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprintf(stderr, "usage: go run ./bench %s [flags] %s\n", command, arguments)
		f.PrintDefaults()
	}
	return f
}

// list splits a flag's value at commas. "none" is an empty list.
func list(text string) []string {
	if text == "" || text == "none" {
		return nil
	}
	return strings.Split(text, ",")
}
