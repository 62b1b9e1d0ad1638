package server

import (
	"cmp"
	"time"
)

// Limits keep clients that misbehave from taking the daemon down.
type Limits struct {
	Connections  int           // open at the same time; those beyond it are closed at once
	Strangers    int           // of them, from one address, that have shown no right token yet
	PerTrial     int           // connections of one trial, and streams of measurements of one attempt
	Streams      uint32        // gRPC calls at the same time on one connection
	Watches      int           // that users follow at the same time, over gRPC and HTTP together
	Header       int           // bytes of the header of a gRPC call
	HTTPHeader   int           // bytes of the header of an HTTP request
	Manifest     int           // bytes of an experiment's manifest
	Body         int64         // bytes of an HTTP request's body, and of a gRPC message
	TrialBody    int64         // the same, of a trial
	Greeting     time.Duration // until a connection has sent its first bytes, and a request its header
	Stall        time.Duration // that a peer takes no answer for before its connection is cut
	Pings        time.Duration // between two of a gRPC connection, whose peer is sent away when it sends more
	Age          time.Duration // of a gRPC connection: its client is asked to connect anew; varies by a tenth
	AgeGrace     time.Duration // until streams of a connection that is too old are cut
	Calls        Rate          // changes by one user
	Failures     Rate          // requests without a right token from one address, until they get RATE_LIMITED
	Reports      Rate          // calls for one trial
	Measurements Rate          // reported for one trial
	Bytes        Rate          // the same, as messages
	Import       ImportLimits
}

// Rate is how often something may happen: so many per second on average, Burst at once.
type Rate struct {
	PerSecond float64
	Burst     float64
}

// DefaultLimits are far above what a client that means well needs.
var DefaultLimits = Limits{
	Connections: 12_000, Strangers: 2000, PerTrial: 64, Streams: 128, Watches: 1000, Header: 8 << 10, HTTPHeader: 64 << 10,
	Manifest: 1 << 20, Body: 2 << 20, TrialBody: 256 << 10,
	Greeting: 5 * time.Second, Stall: 30 * time.Second, Pings: 20 * time.Second, Age: 30 * time.Minute, AgeGrace: time.Minute,
	Calls: Rate{2000, 4000}, Failures: Rate{100, 1000},
	Reports: Rate{100, 1000}, Measurements: Rate{100_000, 200_000}, Bytes: Rate{8 << 20, 16 << 20},
	Import: ImportLimits{Trials: 200_000, Bytes: 128 << 20, Time: 10 * time.Minute},
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	return Limits{
		Connections: cmp.Or(l.Connections, d.Connections), Strangers: cmp.Or(l.Strangers, d.Strangers),
		PerTrial: cmp.Or(l.PerTrial, d.PerTrial), Streams: cmp.Or(l.Streams, d.Streams), Watches: cmp.Or(l.Watches, d.Watches),
		Header: cmp.Or(l.Header, d.Header), HTTPHeader: cmp.Or(l.HTTPHeader, d.HTTPHeader),
		Manifest: cmp.Or(l.Manifest, d.Manifest), Body: cmp.Or(l.Body, d.Body), TrialBody: cmp.Or(l.TrialBody, d.TrialBody),
		Greeting: cmp.Or(l.Greeting, d.Greeting), Stall: cmp.Or(l.Stall, d.Stall), Pings: cmp.Or(l.Pings, d.Pings),
		Age: cmp.Or(l.Age, d.Age), AgeGrace: cmp.Or(l.AgeGrace, d.AgeGrace),
		Calls: cmp.Or(l.Calls, d.Calls), Failures: cmp.Or(l.Failures, d.Failures), Reports: cmp.Or(l.Reports, d.Reports),
		Measurements: cmp.Or(l.Measurements, d.Measurements), Bytes: cmp.Or(l.Bytes, d.Bytes),
		Import: ImportLimits{
			Trials: cmp.Or(l.Import.Trials, d.Import.Trials), Bytes: cmp.Or(l.Import.Bytes, d.Import.Bytes), Time: cmp.Or(l.Import.Time, d.Import.Time),
		},
	}
}
