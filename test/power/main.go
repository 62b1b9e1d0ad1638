// Command power cuts the power of a machine that writes to a store. It is both sides: the first process
// of a virtual machine, which writes and says what was acknowledged, and the program on the host that
// listens, kills the machine, starts it again, and compares. See test/power/run.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	if os.Getpid() == 1 {
		guest()
		return
	}
	var h host
	flag.IntVar(&h.cycles, "cycles", 20, "how often the power is cut")
	flag.IntVar(&h.control, "control", 2, "how often it is cut of a machine that acknowledges what it has not synced, to show that this is noticed")
	flag.Uint64Var(&h.seed, "seed", 1, "of the moments")
	flag.StringVar(&h.kernel, "kernel", "", "path of the kernel")
	flag.StringVar(&h.initrd, "initrd", "", "path of the file system that the machine starts with")
	flag.StringVar(&h.dir, "dir", ".", "where the disks are made")
	flag.Parse()
	if err := h.run(); err != nil {
		fmt.Fprintln(os.Stderr, "power:", err)
		os.Exit(1)
	}
}
