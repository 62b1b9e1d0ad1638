// Command tuned tunes hyperparameters: it runs Experiments written for Katib on this machine,
// shows their progress, and answers what was tried.
package main

import (
	"io"
	"os"

	"google.golang.org/grpc/grpclog"
)

func main() {
	// It would write what clients sent to standard error; errors that matter reach those who called.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
