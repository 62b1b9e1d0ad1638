//go:build !amd64

package gp

func dot(a, b []float64) float64 { return plainDot(a, b) }

func dots(out *[2 * lanes]float64, n int, a []float64, aStride int, b []float64, bStride int) {
	plainDots(out, n, a, aStride, b, bStride)
}

func axpy(f float64, x, y []float64) { plainAxpy(f, x, y) }

func axpys(f *[lanes]float64, x []float64, stride int, y []float64) { plainAxpys(f, x, stride, y) }

func squares(r2, c []float64, stride int, z []float64) { plainSquares(r2, c, stride, z) }

func unequal(r2, c []float64, stride int, z, weights []float64) {
	plainUnequal(r2, c, stride, z, weights)
}

func matern(k, slope []float64, signal float64) { plainMatern(k, slope, signal) }

func pull(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	plainPull(sums, weights, c, stride, z)
}

func pullSquares(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	plainPullSquares(sums, weights, c, stride, z)
}

func pullUnequal(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	plainPullUnequal(sums, weights, c, stride, z)
}
