// Package simulate runs the real tuner, store and server through days of faults within a second: in a
// synctest bubble, with a clock, clients, agents, a runner and a disk that follow from a seed. Its
// tests need the build tag "failpoint"; make simulate runs them.
package simulate
