//go:build !failpoint

package failpoint

// Hit marks a point at which the process may die.
func Hit(string) {}

// Err marks a point at which the process may die or an operation may fail.
func Err(string) error { return nil }
