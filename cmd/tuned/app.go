package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/tuned-hpo/tuned/pkg/store"
)

// Exit codes, as docs/cli.md states them.
const (
	exitOK          = 0   // goal reached, or budget done and no goal set
	exitError       = 1   // tuned itself could not do what was asked; fsck found something
	exitUsage       = 2   // wrong flags, arguments or files
	exitGoalMissed  = 3   // budget done, goal not reached
	exitFailed      = 4   // the experiment failed
	exitStorage     = 74  // a write to the store failed (EX_IOERR)
	exitBusy        = 75  // another daemon has the data directory (EX_TEMPFAIL)
	exitTimeout     = 124 // tuned wait: the timeout is over
	exitInterrupted = 130 // SIGINT or SIGTERM
)

// app is one invocation of the program.
type app struct {
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	getenv  func(string) string
	entered bool    // the command line was understood and a command has begun
	written *noting // what stdout writes to

	outTerminal, errTerminal *os.File // what stdout and stderr guard; nil where they are no terminals
}

// exit is an error that decides the exit code. A nil err prints nothing.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

// usage makes an error the user's: exit code 2.
func usage(format string, args ...any) error {
	return exit{exitUsage, fmt.Errorf(format, args...)}
}

// run is the program without its process: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	a := &app{stdin: stdin, getenv: getenv}
	a.written = &noting{}
	a.written.to, a.outTerminal = guarded(stdout)
	a.stdout = a.written
	a.stderr, a.errTerminal = guarded(stderr)
	root := a.root()
	if err := checkCommand(root, args); err != nil {
		return a.code(err)
	}
	root.SetArgs(args)
	err := root.ExecuteContext(context.Background())
	if err == nil {
		err = a.written.lost()
	}
	return a.code(err)
}

// code prints an error and returns the exit code it stands for.
func (a *app) code(err error) int {
	if err == nil {
		return exitOK
	}
	e := exit{exitError, err}
	if !a.entered {
		e.code = exitUsage
	}
	if r := (*refusal)(nil); errors.As(err, &r) && r.status.Code() == codes.InvalidArgument {
		e.code = exitUsage
	}
	errors.As(err, &e)
	if errors.Is(err, store.ErrFailed) { // whatever it interrupted
		e = exit{exitStorage, err}
	}
	if e.err != nil {
		fmt.Fprintf(a.stderr, "tuned: %s\n", visibleLines(plainText(err)))
	}
	return e.code
}

// doing says what was being done when an error came, unless that says so itself.
func doing(act string, err error) error {
	verb, _, _ := strings.Cut(act, " ")
	if err == nil || strings.HasPrefix(err.Error(), verb+" ") {
		return err
	}
	return fmt.Errorf("%s: %w", act, err)
}

// words accepts from least to most words, which what names.
func words(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return usage("%s: want %s, got %s; see `%s --help`", c.Name(), what, plural(len(args), "word"), c.CommandPath())
		}
		return nil
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "tuned",
		Version:       thisBuild().String(),
		Short:         "Tune hyperparameters with Experiments written for Katib",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) {
			a.entered = true
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagFault)
	root.CompletionOptions.DisableDefaultCmd = true // ours refuses shells that it does not know
	root.AddGroup(
		&cobra.Group{ID: "begin", Title: "Run experiments:"}, &cobra.Group{ID: "look", Title: "Look at them:"},
		&cobra.Group{ID: "change", Title: "Change them:"}, &cobra.Group{ID: "tend", Title: "Tend to the machine:"},
	)
	group := func(id string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = id
		}
		root.AddCommand(commands...)
	}
	group("begin", a.runCommand(), a.serveCommand(), a.submitCommand(), a.validateCommand(), a.explainCommand())
	group("look", a.getCommand(), a.describeCommand(), a.trialsCommand(), a.bestCommand(), a.modelCommand(), a.logsCommand(), a.waitCommand(),
		a.exportCommand(), a.reportCommand())
	group("change", a.stopCommand(), a.pauseCommand(), a.resumeCommand(), a.extendCommand(), a.enqueueCommand(), a.annotateCommand(), a.deleteCommand(),
		a.askCommand(), a.tellCommand(), a.importCommand())
	group("tend", a.loginCommand(), a.doctorCommand(), a.fsckCommand(), a.storeCommand(), a.manCommand(), a.completionCommand(), a.versionCommand())
	help := a.helpCommand()
	root.SetHelpCommand(help)
	group("tend", help)
	return root
}
