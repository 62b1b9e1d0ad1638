package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands to a folder",
		Long: `Write the manual pages of all commands, tuned.1, tuned-run.1 and so on, to a folder, which is made
if need be.`,
		Example: `  tuned man ~/.local/share/man/man1 && man tuned-run`,
		Args:    words(1, 1, "DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			root := (&app{getenv: anybody}).root()
			root.DisableAutoGenTag = true // pages of the same build are the same
			header := &doc.GenManHeader{Title: "TUNED", Section: "1", Source: "tuned " + version, Manual: "tuned"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
}

// anybody is the environment of a user whose home a page may name.
func anybody(name string) string {
	if name == "HOME" {
		return "~"
	}
	return ""
}
