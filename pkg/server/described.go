package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tuned-hpo/tuned/api/tuned/v1/openapi"
	"github.com/tuned-hpo/tuned/pkg/experiment"
)

// operation is a route as openapi.json describes it.
type operation struct {
	id      string
	pattern string            // of http.ServeMux
	query   map[string]string // types of parameters, by name
	joined  bool              // the daemon adds it, see Handle
}

// operations reads the description once.
var operations = sync.OnceValue(func() (out []operation) {
	type described struct {
		OperationID string
		Parameters  []struct {
			Name, In string
			Schema   struct{ Type string }
		}
	}
	var doc struct {
		Paths map[string]struct {
			Get, Post, Delete *described
			Joined            bool `json:"x-joined"`
		}
	}
	if err := json.Unmarshal(openapi.JSON, &doc); err != nil {
		panic(err) // it is generated: any test would meet it
	}
	for path, item := range doc.Paths {
		for method, d := range map[string]*described{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodDelete: item.Delete} {
			if d == nil {
				continue
			}
			o := operation{id: d.OperationID, pattern: method + " " + path, joined: item.Joined, query: map[string]string{}}
			for _, p := range d.Parameters {
				if p.In == "query" {
					o.query[p.Name] = p.Schema.Type
				}
			}
			out = append(out, o)
		}
	}
	return out
})

// strictly refuses parameters that an operation does not have, before its handler sees the request.
func (s *Server) strictly(o operation, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := o.check(r.URL.RawQuery); err != nil {
			s.refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o operation) check(query string) error {
	given, err := url.ParseQuery(query)
	if err != nil {
		return fail(reasonMalformed, "query: %v", err)
	}
	for name, values := range given {
		kind, known := o.query[name]
		if !known {
			return o.unknown(name)
		}
		if len(values) > 1 {
			return fail(reasonArgument, "query parameter %s is given %d times: want one", name, len(values))
		}
		_, err = strconv.ParseInt(values[0], 10, 64)
		if kind == "boolean" {
			_, err = strconv.ParseBool(values[0])
		}
		if kind != "string" && err != nil {
			return fail(reasonArgument, "query parameter %s=%q: want a value of type %s", name, values[0], kind)
		}
	}
	return nil
}

// unknown says which parameters there are, or which one was meant.
func (o operation) unknown(name string) error {
	names := slices.Sorted(maps.Keys(o.query))
	meant := experiment.Nearest(name, names)
	switch {
	case len(names) == 0:
		return fail(reasonArgument, "unknown query parameter %q: %s has none", name, o.pattern)
	case meant != "":
		return fail(reasonArgument, "unknown query parameter %q; did you mean %s?", name, meant)
	}
	return fail(reasonArgument, "unknown query parameter %q: want %s", name, strings.Join(names, ", "))
}
