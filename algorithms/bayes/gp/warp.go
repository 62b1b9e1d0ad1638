package gp

import "github.com/tuned-hpo/tuned/internal/elementary"

// warpEdge keeps a warped coordinate off the ends of its range, where derivatives of Kumaraswamy's
// function may be infinite.
const warpEdge = 1e-7

// inside moves u from [0, 1] to [warpEdge, 1-warpEdge].
func inside(u float64) float64 { return warpEdge + float64((1-2*warpEdge)*u) }

// kumaraswamy returns 1 - (1 - u^a)^b, the distribution function of Kumaraswamy (1980).
func kumaraswamy(u, a, b float64) float64 {
	power := elementary.Exp(a * elementary.Log(inside(u)))
	return -elementary.Expm1(b * elementary.Log1p(-power))
}

// kumaraswamySlopes returns its derivatives with respect to u, log a and log b.
func kumaraswamySlopes(u, a, b float64) (du, da, db float64) {
	t := inside(u)
	logT := elementary.Log(t)
	power := elementary.Exp(a * logT)
	logRest := elementary.Log1p(-power)
	slope := a * b * power * elementary.Exp((b-1)*logRest) // of t, times t
	return slope / t * (1 - 2*warpEdge), slope * logT, -b * logRest * elementary.Exp(b*logRest)
}
