module github.com/tuned-hpo/tuned/bench/peers/goptuna

go 1.26.0

// rand.Seed seeds what goptuna draws from the global source.
godebug randseednop=0

require github.com/c-bata/goptuna v0.9.0

require gonum.org/v1/gonum v0.14.0 // indirect
