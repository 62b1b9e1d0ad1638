//go:build race

package local

// raced says that the tests run with the race detector: the agents do, too.
const raced = true
