// Command tuned tunes hyperparameters: it runs Experiments written for Katib on this machine,
// shows their progress, and answers what was tried.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
