// Package failpoint names the places at which a fault can be made to happen: what the program does
// between two steps that must both be durable. Only a build with the tag "failpoint" has them; in
// any other the calls are empty, and neither they nor the names are in the program.
//
// Such a build takes the environment variable TUNED_FAILPOINT, "NAME=KIND" or "NAME=KIND:N": at the
// N-th time (the first, without N) that the process comes by the point NAME it
//
//	kill   kills itself, as SIGKILL does
//	panic  panics
//	sleep  stops for a second
//	error  gets an error there, at those points that can have one (Err)
//
// With TUNED_FAILPOINT_MARK, the path of a file, this happens once for all processes that share the
// path: in the one that creates the file. points.txt lists the points.
package failpoint
