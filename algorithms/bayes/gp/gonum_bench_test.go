package gp

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// BenchmarkAgainstGonum times the steps of a suggestion with our factor and with gonum, on the same
// covariance matrix: to factor it, to append a row, and to solve for 1000 right-hand sides. The
// kernel is left out. Figures are in docs/adr/004.
func BenchmarkAgainstGonum(b *testing.B) {
	const d, sides = 10, 1000
	for _, n := range []int{100, 500, 1000} {
		run := func(name string, step func()) {
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
			})
		}
		m := New(Default(make([]Dimension, d)))
		x, _ := smooth(n+1, d)
		k := newDense(b, m, m.Start(), x, nil, n+1).k
		ours(run, k, n, sides)
		gonums(run, k, n, sides)
	}
}

func ours(run func(string, func()), k *mat.SymDense, n, sides int) {
	var f factor
	f.room(n + 1)
	rows := func(from, to int) {
		for i := from; i < to; i++ {
			mat.Row(f.l[i*f.stride:][:n+1], i, k)
		}
		f.extend(to)
	}
	run("factor/ours", func() {
		f.n = 0
		rows(0, n)
	})
	run("append/ours", func() {
		rows(n, n+1)
		f.n = n
	})
	right := make([]float64, sides*f.stride)
	run("solve/ours", func() { f.solve(right, f.stride, sides, n) })
}

func gonums(run func(string, func()), k *mat.SymDense, n, sides int) {
	leading := mat.NewSymDense(n, nil)
	leading.CopySym(k)
	last := mat.NewVecDense(n+1, mat.Row(nil, n, k))
	var chol, longer mat.Cholesky
	run("factor/gonum", func() { chol.Factorize(leading) })
	run("append/gonum", func() { longer.ExtendVecSym(&chol, last) })
	var l mat.TriDense
	chol.LTo(&l)
	right := blas64.General{Rows: n, Cols: sides, Stride: sides, Data: make([]float64, n*sides)}
	run("solve/gonum", func() { blas64.Trsm(blas.Left, blas.NoTrans, 1, l.RawTriangular(), right) })
}
