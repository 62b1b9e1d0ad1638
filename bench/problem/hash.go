package problem

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
)

// Hash names what a run of the problem depends on: its name, space, budget and its values at some
// points. Recorded runs of another hash are of another problem.
func (p *Problem) Hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %d %d %v %+v\n", p.Name, p.Budget, p.Objectives, p.Constraints, p.Reference, conditionFree(p))
	p.hashValues(h)
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// hashValues writes values rounded to 1e-9 of their size, so that all machines agree.
func (p *Problem) hashValues(w io.Writer) {
	const points = 5
	source := rand.New(rand.NewPCG(1, 2))
	u := make([]float64, p.Space.Len())
	for trial := range uint64(points) {
		for i := range u {
			u[i] = source.Float64()
		}
		r := p.Eval(p.Space.Decode(u), 1, trial)
		for _, values := range [][]float64{r.Losses, r.Constraints, r.True} {
			for _, v := range values {
				fmt.Fprintf(w, "%.9e ", v)
			}
		}
		if len(r.True) == 1 {
			fmt.Fprintf(w, "%.9e ", p.Regret(r.True[0]))
		}
	}
}

// conditionFree is the text of the parameters, with pointers followed.
func conditionFree(p *Problem) string {
	text := ""
	for _, q := range p.Space.Parameters() {
		c := q.ActiveWhen
		q.ActiveWhen = nil
		text += fmt.Sprintf("%+v ", q)
		if c != nil {
			text += fmt.Sprintf("%+v ", *c)
		}
	}
	return text
}

// Hash is that of the suite's problems and seeds.
func (s Suite) Hash() (string, error) {
	problems, err := s.Problems()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintf(h, "%+v\n", s)
	for _, p := range problems {
		fmt.Fprintln(h, p.Hash())
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

