package searchspace

import (
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// decimal computes the values of a grid in whole multiples of a power of ten, as people mean them:
// the third value from 0.1 by 0.1 is 0.3, not 0.30000000000000004.
type decimal struct {
	min, step, max int64 // in units of 10^exp
	exp            int
	ok             bool // the three fit
}

// newDecimal takes the shortest decimal texts of a grid's ends and step as what was meant.
func newDecimal(first, step, last float64) decimal {
	mants, exps := [3]int64{}, [3]int{}
	for i, v := range []float64{first, step, last} {
		mants[i], exps[i] = shortest(v)
	}
	exp := exps[1]
	for i, m := range mants {
		if m != 0 && exps[i] < exp {
			exp = exps[i]
		}
	}
	for i := range mants {
		var ok bool
		if mants[i], ok = scale(mants[i], exps[i]-exp); !ok {
			return decimal{}
		}
	}
	return decimal{min: mants[0], step: mants[1], max: mants[2], exp: exp, ok: true}
}

// value returns min + k*step, correctly rounded.
func (d decimal) value(k uint64) float64 {
	const (
		exactInt = 1 << 53
		exactPow = 22 // 10^22 is the last power of ten that is a float64
	)
	x := d.min + int64(k)*d.step
	if -exactInt <= x && x <= exactInt {
		switch {
		case 0 <= d.exp && d.exp <= exactPow:
			return float64(x) * math.Pow10(d.exp)
		case -exactPow <= d.exp && d.exp < 0:
			return float64(x) / math.Pow10(-d.exp)
		}
	}
	// An int64 and an exponent within float64's are always a number; a huge one is +Inf, an error
	// of which the grid's own end was the limit.
	v, _ := strconv.ParseFloat(strconv.FormatInt(x, 10)+"e"+strconv.Itoa(d.exp), 64)
	return v
}

// shortest returns v as mantissa * 10^exp by its shortest decimal text.
func shortest(v float64) (mantissa int64, exp int) {
	text := strconv.FormatFloat(v, 'e', -1, 64)
	digits, e, _ := strings.Cut(text, "e")
	whole, fraction, _ := strings.Cut(digits, ".")
	mantissa, _ = strconv.ParseInt(whole+fraction, 10, 64) // at most 17 digits
	exp, _ = strconv.Atoi(e)
	return mantissa, exp - len(fraction)
}

// scale returns m * 10^power, and whether a product with room for one more step fits.
func scale(m int64, power int) (int64, bool) {
	for ; power > 0 && m != 0; power-- {
		hi, lo := bits.Mul64(uint64(max(m, -m)), 10)
		if hi != 0 || lo > math.MaxInt64/4 {
			return 0, false
		}
		m *= 10
	}
	return m, true
}
