package gp

import "golang.org/x/sys/cpu"

// vectorUnit says whether the processor has vectors of four numbers and fused multiply-add.
var vectorUnit = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func avxDot(a, b *float64, n int) float64

func dot(a, b []float64) float64 {
	if !vectorUnit {
		return plainDot(a, b)
	}
	if len(a) == 0 {
		return 0
	}
	return avxDot(&a[0], &b[:len(a)][0], len(a))
}

//go:noescape
func avxDots(out *[2 * lanes]float64, n int, a *float64, aStride int, b *float64, bStride int)

func dots(out *[2 * lanes]float64, n int, a []float64, aStride int, b []float64, bStride int) {
	if !vectorUnit {
		plainDots(out, n, a, aStride, b, bStride)
		return
	}
	*out = [2 * lanes]float64{}
	if n > 0 {
		_, _ = a[3*aStride+n-1], b[bStride+n-1]
		avxDots(out, n, &a[0], aStride, &b[0], bStride)
	}
}

//go:noescape
func avxAxpy(f float64, x, y *float64, n int)

func axpy(f float64, x, y []float64) {
	if !vectorUnit {
		plainAxpy(f, x, y)
		return
	}
	if len(x) > 0 {
		avxAxpy(f, &x[0], &y[:len(x)][0], len(x))
	}
}

//go:noescape
func avxAxpys(f *[lanes]float64, x *float64, stride int, y *float64, n int)

func axpys(f *[lanes]float64, x []float64, stride int, y []float64) {
	if !vectorUnit {
		plainAxpys(f, x, stride, y)
		return
	}
	if n := len(y); n > 0 {
		_ = x[3*stride+n-1]
		avxAxpys(f, &x[0], stride, &y[0], n)
	}
}

//go:noescape
func avxSquares(r2 *float64, n int, c *float64, stride int, z *float64, columns int)

func squares(r2, c []float64, stride int, z []float64) {
	if !vectorUnit {
		plainSquares(r2, c, stride, z)
		return
	}
	if n := roundUp(len(r2)); n > 0 && len(z) > 0 {
		_ = c[(len(z)-1)*stride+n-1]
		avxSquares(&r2[:n][0], n, &c[0], stride, &z[0], len(z))
	}
}

//go:noescape
func avxUnequal(r2 *float64, n int, c *float64, stride int, z, weights *float64, columns int)

func unequal(r2, c []float64, stride int, z, weights []float64) {
	if !vectorUnit {
		plainUnequal(r2, c, stride, z, weights)
		return
	}
	if n := roundUp(len(r2)); n > 0 && len(z) > 0 {
		_ = c[(len(z)-1)*stride+n-1]
		avxUnequal(&r2[:n][0], n, &c[0], stride, &z[0], &weights[:len(z)][0], len(z))
	}
}

//go:noescape
func avxMatern(k, slope *float64, n int, signal float64)

func matern(k, slope []float64, signal float64) {
	if !vectorUnit {
		plainMatern(k, slope, signal)
		return
	}
	if n := roundUp(len(k)); n > 0 {
		avxMatern(&k[:n][0], &slope[:n][0], n, signal)
	}
}

//go:noescape
func avxPull(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)

func pull(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	if !vectorUnit {
		plainPull(sums, weights, c, stride, z)
		return
	}
	if n := roundUp(len(weights)); n > 0 && len(z) > 0 {
		_ = c[(len(z)-1)*stride+n-1]
		avxPull(&sums[:len(z)][0], &weights[:n][0], n, &c[0], stride, &z[0], len(z))
	}
}

//go:noescape
func avxPullSquares(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)

func pullSquares(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	if !vectorUnit {
		plainPullSquares(sums, weights, c, stride, z)
		return
	}
	if n := roundUp(len(weights)); n > 0 && len(z) > 0 {
		_ = c[(len(z)-1)*stride+n-1]
		avxPullSquares(&sums[:len(z)][0], &weights[:n][0], n, &c[0], stride, &z[0], len(z))
	}
}

//go:noescape
func avxPullUnequal(sums *[lanes]float64, weights *float64, n int, c *float64, stride int, z *float64, columns int)

func pullUnequal(sums [][lanes]float64, weights, c []float64, stride int, z []float64) {
	if !vectorUnit {
		plainPullUnequal(sums, weights, c, stride, z)
		return
	}
	if n := roundUp(len(weights)); n > 0 && len(z) > 0 {
		_ = c[(len(z)-1)*stride+n-1]
		avxPullUnequal(&sums[:len(z)][0], &weights[:n][0], n, &c[0], stride, &z[0], len(z))
	}
}
