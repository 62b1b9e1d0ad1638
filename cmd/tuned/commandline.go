package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// checkCommand refuses a command line whose first word is no command.
func checkCommand(root *cobra.Command, args []string) error {
	first := slices.IndexFunc(args, func(word string) bool { return !strings.HasPrefix(word, "-") })
	if first < 0 || strings.HasPrefix(args[first], cobra.ShellCompRequestCmd) { // cobra.ShellCompNoDescRequestCmd too
		return nil
	}
	return knownCommand(root, args[first])
}

// knownCommand refuses a word that is no command below another, and names the nearest one.
func knownCommand(parent *cobra.Command, word string) error {
	meant := map[string]string{} // the command that a name stands for
	for _, c := range parent.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return nil
		}
		for _, name := range append(slices.Concat(c.Aliases, c.SuggestFor), c.Name()) {
			meant[name] = c.Name()
		}
	}
	near := meant[experiment.Nearest(word, slices.Sorted(maps.Keys(meant)))]
	return usage("unknown command %q for %q%s; see `%s --help`", word, parent.CommandPath(), didYouMean(near), parent.CommandPath())
}

func didYouMean(near string) string {
	if near == "" {
		return ""
	}
	return ", did you mean " + near
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print what a command does and its flags",
		Long:  `Print what a command does and its flags, as COMMAND --help does.`,
		Args:  cobra.ArbitraryArgs,
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			about, _, err := c.Root().Find(args)
			if err != nil {
				return nil, noFiles
			}
			var out []cobra.Completion
			for _, sub := range about.Commands() {
				out = append(out, cobra.CompletionWithDesc(sub.Name(), sub.Short))
			}
			return out, noFiles
		},
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			for _, word := range args {
				if err := knownCommand(about, word); err != nil {
					return err
				}
				about, _, _ = about.Find([]string{word}) // it is known
			}
			return about.Help()
		},
	}
}

// shells are those that names are completed in, each with what prints its script.
var shells = []struct {
	name  string
	write func(root *cobra.Command) error
}{
	{"bash", func(root *cobra.Command) error { return root.GenBashCompletionV2(root.OutOrStdout(), true) }},
	{"zsh", func(root *cobra.Command) error { return root.GenZshCompletion(root.OutOrStdout()) }},
	{"fish", func(root *cobra.Command) error { return root.GenFishCompletion(root.OutOrStdout(), true) }},
	{"powershell", func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(root.OutOrStdout()) }},
}

func (a *app) completionCommand() *cobra.Command {
	names := []string{}
	for _, s := range shells {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands, flags and names in a shell",
		Long: `Print a script that completes commands, flags, and the names of experiments, trials and namespaces
in a shell: bash, zsh, fish or powershell. The names are those of the daemon, or of the data
directory, that the command line so far names.`,
		Example: `  source <(tuned completion bash)
  tuned completion fish > ~/.config/fish/completions/tuned.fish`,
		Args:              words(1, 1, "one SHELL of "+strings.Join(names, ", ")),
		ValidArgsFunction: cobra.FixedCompletions(names, noFiles),
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range shells {
				if s.name == args[0] {
					return s.write(c.Root())
				}
			}
			return usage("completion %s: no such shell%s; want one of %s", args[0], didYouMean(experiment.Nearest(args[0], names)), strings.Join(names, ", "))
		},
	}
}

// flagFault says what is wrong with a flag, in terms of the command line.
func flagFault(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var lacking *pflag.ValueRequiredError
	var wrong *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		err = fmt.Errorf("unknown flag: %s%s", flagOf(unknown), didYouMean(nearestFlag(c, unknown.GetSpecifiedName())))
	case errors.As(err, &lacking):
		err = fmt.Errorf("--%s needs a value", lacking.GetFlag().Name)
	case errors.As(err, &wrong):
		err = fmt.Errorf("--%s %q: want %s", wrong.GetFlag().Name, wrong.GetValue(), wantOf(wrong.GetFlag()))
	}
	return usage("%w; see `%s --help`", err, c.CommandPath())
}

// flagOf is an unknown flag as it was typed.
func flagOf(e *pflag.NotExistError) string {
	if e.GetSpecifiedShortnames() != "" {
		return "-" + e.GetSpecifiedName()
	}
	return "--" + e.GetSpecifiedName()
}

// nearestFlag is the flag of a command that a name may stand for; "" for none.
func nearestFlag(c *cobra.Command, name string) string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := experiment.Nearest(name, names); near != "" && len(name) > 1 {
		return "--" + near
	}
	return ""
}

// wantOf says which values a flag takes.
func wantOf(f *pflag.Flag) string {
	if w, ok := f.Value.(interface{ want() string }); ok {
		return w.want()
	}
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return "a duration such as 90s, 15m or 2h, of at most 2562047h"
	case "float64":
		return "a number of at most 1.7e308"
	}
	return "another value"
}
