package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the release; the linker sets it.
var version = "devel"

// build says what this program is.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`  // "" where the build did not record it
	Changed  bool   `json:"changed"` // the files were not those of the commit
	Go       string `json:"go"`
	Platform string `json:"platform"` // operating system and processor
}

func (a *app) versionCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  words(0, 0, "no words"),
		RunE: func(*cobra.Command, []string) error {
			switch format {
			case "table":
				fmt.Fprintln(a.stdout, thisBuild())
				return nil
			case "csv":
				return tableOf(thisBuild()).print(a.stdout, format)
			}
			return printAs(a.stdout, format, thisBuild())
		},
	}
	formatFlag(c, &format, printing(shapeOf[build]()), "table", "json", "yaml", "csv", jsonPath)
	return c
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Changed = s.Value == "true"
		}
	}
	return b
}

// String is the version as people read it.
func (b build) String() string {
	commit := ""
	if b.Commit != "" {
		commit = " (" + b.Commit + ")"
		if b.Changed {
			commit = " (" + b.Commit + " with changes)"
		}
	}
	return fmt.Sprintf("tuned %s%s %s %s", b.Version, commit, b.Go, b.Platform)
}
