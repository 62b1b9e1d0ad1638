package server

import (
	"cmp"
	"time"
)

// Limits keep clients that misbehave from taking the daemon down.
type Limits struct {
	Connections  int           // open at the same time; those beyond it are closed at once
	Streams      uint32        // gRPC calls at the same time on one connection
	Watches      int           // that users follow at the same time, over gRPC and HTTP together
	Header       int           // bytes of the header of a gRPC call
	HTTPHeader   int           // bytes of the header of an HTTP request
	Manifest     int           // bytes of an experiment's manifest
	Body         int64         // bytes of an HTTP request's body, and of a gRPC message
	Greeting     time.Duration // until a connection has sent its first bytes, and a request its header
	Stall        time.Duration // that a peer takes no answer for before its connection is cut
	Age          time.Duration // of a gRPC connection: its client is asked to connect anew; varies by a tenth
	Calls        Rate          // changes by one user
	Reports      Rate          // calls for one trial
	Measurements Rate          // reported for one trial
}

// Rate is how often something may happen: so many per second on average, Burst at once.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// DefaultLimits are far above what a client that means well needs.
var DefaultLimits = Limits{
	Connections: 12_000, Streams: 128, Watches: 1000, Header: 8 << 10, HTTPHeader: 64 << 10,
	Manifest: 1 << 20, Body: 2 << 20,
	Greeting: 5 * time.Second, Stall: 30 * time.Second, Age: 30 * time.Minute,
	Calls: Rate{2000, 4000}, Reports: Rate{100, 1000}, Measurements: Rate{100_000, 200_000},
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		Connections: cmp.Or(l.Connections, d.Connections), Streams: cmp.Or(l.Streams, d.Streams),
		Watches: cmp.Or(l.Watches, d.Watches),
		Header:  cmp.Or(l.Header, d.Header), HTTPHeader: cmp.Or(l.HTTPHeader, d.HTTPHeader),
		Manifest: cmp.Or(l.Manifest, d.Manifest), Body: cmp.Or(l.Body, d.Body),
		Greeting: cmp.Or(l.Greeting, d.Greeting), Stall: cmp.Or(l.Stall, d.Stall), Age: cmp.Or(l.Age, d.Age),
		Calls: cmp.Or(l.Calls, d.Calls), Reports: cmp.Or(l.Reports, d.Reports),
		Measurements: cmp.Or(l.Measurements, d.Measurements),
	}
}
