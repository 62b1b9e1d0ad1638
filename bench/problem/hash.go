package problem

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
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
	p.sample(5, func(_ searchspace.Point, r Result) {
		for _, values := range [][]float64{r.Losses, r.Constraints, r.True} {
			for _, v := range values {
				fmt.Fprintf(w, "%.9e ", v)
			}
		}
		fmt.Fprintf(w, "%.9e ", p.Regret(r.True[0]))
	})
	fmt.Fprint(w, p.hashCurve())
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
