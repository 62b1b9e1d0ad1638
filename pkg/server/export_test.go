package server

import (
	"fmt"
)

// Reasons returns all codes of errors, with what they are in HTTP and gRPC.
func Reasons() map[string]string {
	out := map[string]string{}
	for r, k := range kinds {
		out[string(r)] = fmt.Sprintf("%d %d", k.http, k.code)
	}
	return out
}

// Ruled reports whether a method has a rule.
func Ruled(method string) bool { return rules[method].access != nobody }

// Rules is how many methods have one.
func Rules() int { return len(rules) }
