package problem

import "math"

// bbobFunctions are f1 to f24 of RR-6829, less their value at the optimum.
var bbobFunctions = [24]func(b *bbob, x []float64) float64{
	(*bbob).sphere, (*bbob).ellipsoid, (*bbob).rastrigin, (*bbob).buecheRastrigin, (*bbob).linearSlope,
	(*bbob).attractiveSector, (*bbob).stepEllipsoid, (*bbob).rosenbrock, (*bbob).rotatedRosenbrock,
	(*bbob).rotatedEllipsoid, (*bbob).discus, (*bbob).bentCigar, (*bbob).sharpRidge, (*bbob).differentPowers,
	(*bbob).rotatedRastrigin, (*bbob).weierstrass, (*bbob).schaffers, (*bbob).illSchaffers, (*bbob).griewankRosenbrock,
	(*bbob).schwefel, (*bbob).gallagher, (*bbob).gallagher, (*bbob).katsuura, (*bbob).lunacek,
}

// shifted returns x - xopt.
func (b *bbob) shifted(x []float64) []float64 {
	z := make([]float64, b.d)
	for i := range z {
		z[i] = x[i] - b.xopt[i]
	}
	return z
}

// share is i/(d-1), with i from 0.
func (b *bbob) share(i int) float64 { return float64(i) / float64(b.d-1) }

// scale multiplies z by the matrix Lambda^alpha, in place.
func (b *bbob) scale(z []float64, alpha float64) []float64 {
	root := math.Sqrt(alpha)
	for i := range z {
		z[i] *= math.Pow(root, b.share(i))
	}
	return z
}

// oscillate is T_osz of one number.
func oscillate(x float64) float64 {
	if x == 0 {
		return 0
	}
	c1, c2 := 5.5, 3.1
	if x > 0 {
		c1, c2 = 10, 7.9
	}
	xhat := math.Log(math.Abs(x))
	return math.Copysign(math.Exp(xhat+0.049*(math.Sin(c1*xhat)+math.Sin(c2*xhat))), x)
}

// oscillated applies T_osz in place.
func oscillated(z []float64) []float64 {
	for i, v := range z {
		z[i] = oscillate(v)
	}
	return z
}

// skew applies T_asy^beta in place.
func (b *bbob) skew(z []float64, beta float64) []float64 {
	for i, v := range z {
		if v > 0 {
			z[i] = math.Pow(v, 1+beta*b.share(i)*math.Sqrt(v))
		}
	}
	return z
}

// weighted is the ellipsoid of z with the given condition.
func (b *bbob) weighted(z []float64, condition float64) float64 {
	sum := 0.0
	for i, v := range z {
		sum += math.Pow(condition, b.share(i)) * v * v
	}
	return sum
}

// waves is 10 (d - sum cos 2 pi z).
func (b *bbob) waves(z []float64) float64 {
	sum := float64(b.d)
	for _, v := range z {
		sum -= math.Cos(2 * math.Pi * v)
	}
	return 10 * sum
}

func (b *bbob) sphere(x []float64) float64 {
	z := b.shifted(x)
	return dot(z, z)
}

func (b *bbob) ellipsoid(x []float64) float64 { return b.weighted(oscillated(b.shifted(x)), 1e6) }

func (b *bbob) rastrigin(x []float64) float64 {
	z := b.scale(b.skew(oscillated(b.shifted(x)), 0.2), 10)
	return b.waves(z) + dot(z, z)
}

func (b *bbob) buecheRastrigin(x []float64) float64 {
	z := b.scale(oscillated(b.shifted(x)), 10)
	for i := 0; i < b.d; i += 2 {
		if z[i] > 0 {
			z[i] *= 10
		}
	}
	return b.waves(z) + dot(z, z)
}

func (b *bbob) linearSlope(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		if v*b.xopt[i] >= bbobDomain*bbobDomain {
			v = b.xopt[i]
		}
		s := math.Copysign(math.Pow(10, b.share(i)), b.xopt[i])
		sum += bbobDomain*math.Abs(s) - s*v
	}
	return sum
}

func (b *bbob) attractiveSector(x []float64) float64 {
	z := multiply(b.q, b.scale(multiply(b.r, b.shifted(x)), 10))
	sum := 0.0
	for i, v := range z {
		if v*b.xopt[i] > 0 {
			v *= 100
		}
		sum += v * v
	}
	return math.Pow(oscillate(sum), 0.9)
}

func (b *bbob) stepEllipsoid(x []float64) float64 {
	z := b.scale(multiply(b.r, b.shifted(x)), 10)
	first := math.Abs(z[0])
	for i, v := range z {
		if math.Abs(v) > 0.5 {
			z[i] = math.Floor(0.5 + v)
		} else {
			z[i] = math.Floor(0.5+10*v) / 10
		}
	}
	return 0.1 * max(first/1e4, b.weighted(multiply(b.q, z), 100))
}

// rosenbrockScale keeps the valley within the domain.
func (b *bbob) rosenbrockScale() float64 { return max(1, math.Sqrt(float64(b.d))/8) }

// rosenbrockTerm is that of a pair of neighbours.
func rosenbrockTerm(z, next float64) float64 {
	return 100*(z*z-next)*(z*z-next) + (z-1)*(z-1)
}

func rosenbrockSum(z []float64) float64 {
	sum := 0.0
	for i := range len(z) - 1 {
		sum += rosenbrockTerm(z[i], z[i+1])
	}
	return sum
}

func (b *bbob) rosenbrock(x []float64) float64 {
	z := b.shifted(x)
	for i := range z {
		z[i] = b.rosenbrockScale()*z[i] + 1
	}
	return rosenbrockSum(z)
}

// valley rotates x so that the optimum is at 1.
func (b *bbob) valley(x []float64) []float64 {
	z := multiply(b.r, x)
	for i := range z {
		z[i] = b.rosenbrockScale()*z[i] + 0.5
	}
	return z
}

func (b *bbob) rotatedRosenbrock(x []float64) float64 { return rosenbrockSum(b.valley(x)) }

func (b *bbob) rotatedEllipsoid(x []float64) float64 {
	return b.weighted(oscillated(multiply(b.r, b.shifted(x))), 1e6)
}

func (b *bbob) discus(x []float64) float64 {
	z := oscillated(multiply(b.r, b.shifted(x)))
	return dot(z, z) + (1e6-1)*z[0]*z[0]
}

func (b *bbob) bentCigar(x []float64) float64 {
	z := multiply(b.r, b.skew(multiply(b.r, b.shifted(x)), 0.5))
	return z[0]*z[0] + 1e6*dot(z[1:], z[1:])
}

func (b *bbob) sharpRidge(x []float64) float64 {
	z := multiply(b.q, b.scale(multiply(b.r, b.shifted(x)), 10))
	return z[0]*z[0] + 100*math.Sqrt(dot(z[1:], z[1:]))
}

func (b *bbob) differentPowers(x []float64) float64 {
	sum := 0.0
	for i, v := range multiply(b.r, b.shifted(x)) {
		sum += math.Pow(math.Abs(v), 2+4*b.share(i))
	}
	return math.Sqrt(sum)
}

func (b *bbob) rotatedRastrigin(x []float64) float64 {
	z := b.skew(oscillated(multiply(b.r, b.shifted(x))), 0.2)
	z = multiply(b.r, b.scale(multiply(b.q, z), 10))
	return b.waves(z) + dot(z, z)
}

func (b *bbob) weierstrass(x []float64) float64 {
	const terms = 12
	z := oscillated(multiply(b.r, b.shifted(x)))
	z = multiply(b.r, b.scale(multiply(b.q, z), 0.01))
	sum := 0.0
	for k := range terms {
		weight, frequency := math.Pow(0.5, float64(k)), 2*math.Pi*math.Pow(3, float64(k))
		rest := math.Cos(frequency / 2) // the value at the optimum
		for _, v := range z {
			sum += weight * (math.Cos(frequency*(v+0.5)) - rest)
		}
	}
	return 10 * math.Pow(sum/float64(b.d), 3)
}

func (b *bbob) schaffers(x []float64) float64    { return b.schaffersF7(x, 10) }
func (b *bbob) illSchaffers(x []float64) float64 { return b.schaffersF7(x, 1000) }

func (b *bbob) schaffersF7(x []float64, condition float64) float64 {
	z := b.skew(multiply(b.r, b.shifted(x)), 0.5)
	z = b.scale(multiply(b.q, z), condition)
	sum := 0.0
	for i := range b.d - 1 {
		s := math.Hypot(z[i], z[i+1])
		sine := math.Sin(50 * math.Pow(s, 0.2))
		sum += math.Sqrt(s) * (1 + sine*sine)
	}
	mean := sum / float64(b.d-1)
	return mean * mean
}

func (b *bbob) griewankRosenbrock(x []float64) float64 {
	z := b.valley(x)
	sum := 0.0
	for i := range b.d - 1 {
		s := rosenbrockTerm(z[i], z[i+1])
		sum += s/4000 - math.Cos(s)
	}
	return 10*sum/float64(b.d-1) + 10
}

func (b *bbob) schwefel(x []float64) float64 {
	const best = 4.189828872724339
	twice := make([]float64, b.d) // xhat
	for i, v := range x {
		twice[i] = math.Copysign(2, b.xopt[i]) * v
	}
	sum, penalty := 0.0, 0.0
	for i, z := range twice {
		centre := 2 * math.Abs(b.xopt[i])
		if i > 0 {
			z += 0.25 * (twice[i-1] - 2*math.Abs(b.xopt[i-1]))
		}
		z = 100 * (math.Pow(math.Sqrt(10), b.share(i))*(z-centre) + centre)
		sum += z * math.Sin(math.Sqrt(math.Abs(z)))
		over := max(0, math.Abs(z/100)-bbobDomain) // z leaves the domain though x does not
		penalty += over * over
	}
	return best - sum/(100*float64(b.d)) + 100*penalty
}

func (b *bbob) gallagher(x []float64) float64 {
	z := multiply(b.r, x)
	highest := 0.0
	for _, p := range b.peaks {
		distance := 0.0
		for i, v := range z {
			distance += p.c[i] * (v - p.y[i]) * (v - p.y[i])
		}
		highest = max(highest, p.w*math.Exp(-distance/(2*float64(b.d))))
	}
	f := oscillate(10 - highest)
	return f * f
}

func (b *bbob) katsuura(x []float64) float64 {
	const terms = 32
	d := float64(b.d)
	z := multiply(b.q, b.scale(multiply(b.r, b.shifted(x)), 100))
	product := 1.0
	for i, v := range z {
		sum := 0.0
		for j := 1; j <= terms; j++ {
			scaled := math.Ldexp(v, j)
			sum += math.Ldexp(math.Abs(scaled-math.Floor(scaled+0.5)), -j)
		}
		product *= math.Pow(1+float64(i+1)*sum, 10/math.Pow(d, 1.2))
	}
	return 10 / (d * d) * (product - 1)
}

// lunacekMu is mu_0 of f24.
const lunacekMu = 2.5

func (b *bbob) lunacek(x []float64) float64 {
	d := float64(b.d)
	s := 1 - 1/(2*math.Sqrt(d+20)-8.2)
	mu1 := -math.Sqrt((lunacekMu*lunacekMu - 1) / s)
	z := make([]float64, b.d)
	near, far := 0.0, d
	for i, v := range x {
		v *= math.Copysign(2, b.xopt[i])
		z[i] = v - lunacekMu
		near += z[i] * z[i]
		far += s * (v - mu1) * (v - mu1)
	}
	return min(near, far) + b.waves(multiply(b.q, b.scale(multiply(b.r, z), 100)))
}
