package builtin

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/tuned-hpo/tuned/algorithms"
)

// The definitions below have no New yet. Their settings are those of Katib 0.19, so that an
// experiment is checked in full before it is refused.

func hyperband() algorithms.Definition {
	length := atLeast(algorithms.FloatSetting, "r_l", 0, "", "the most resource that one trial may use")
	length.OpenMin, length.Required = true, true
	return algorithms.Definition{
		Name:      "hyperband",
		Summary:   "many short trials, of which the best go on",
		Reference: "Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar 2018, Hyperband, JMLR 18",
		Settings: []algorithms.Setting{
			length,
			{Name: "resource_name", Type: algorithms.StringSetting, Required: true, Help: "the parameter that holds the resource of a trial"},
			{Name: "eta", Type: algorithms.FloatSetting, Default: "3", Help: "one in eta trials goes on; below 1 means 3"},
		},
		Check: checkHyperband,
	}
}

// checkHyperband states Katib's rules: the resource is a parameter, and the trials of the widest
// rung, eta^floor(log r_l / log eta) of them, run side by side.
func checkHyperband(p algorithms.Problem, v algorithms.Values) error {
	var faults []error
	if name := v.Text("resource_name", ""); name != "" {
		if _, ok := p.Space.Index(name); !ok {
			faults = append(faults, fmt.Errorf("resource_name %q is no parameter", name))
		}
	}
	eta := math.Trunc(v.Float("eta", 3))
	if eta <= 0 {
		eta = 3
	}
	if eta == 1 {
		return errors.Join(append(faults, errors.New("eta must be at least 2, got 1"))...)
	}
	rungs := math.Trunc(ln(v.Float("r_l", 1)) / ln(eta))
	if widest := math.Ceil(math.Pow(eta, rungs)); float64(p.Parallel) < widest {
		faults = append(faults, fmt.Errorf("parallelTrialCount must be at least %g, eta^floor(log r_l / log eta), got %d", widest, p.Parallel))
	}
	return errors.Join(faults...)
}

// ln returns the natural logarithm of v > 0, correctly rounded: whether log 243 / log 3 is 5 or the
// number below it, as for Katib, hangs on the last bit, in which math.Log may differ.
func ln(v float64) float64 {
	mantissa, exponent := math.Frexp(v)
	sum := twiceArtanh(mantissa-1, mantissa+1) // ln m = 2 artanh((m-1)/(m+1)), |.| at most 1/3
	ln2 := twiceArtanh(1, 3)
	result, _ := sum.Add(sum, ln2.Mul(ln2, big.NewFloat(float64(exponent)))).Float64()
	return result
}

// twiceArtanh returns 2 artanh(p/q) for |p/q| up to 1/3 to 110 bits and more, by Taylor's series.
func twiceArtanh(p, q float64) *big.Float {
	const bits, terms = 128, 36 // 3^-(2*36) < 2^-110
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(bits).SetFloat64(x) }
	z := number(p)
	z.Quo(z, number(q))
	square := number(0).Mul(z, z)
	power, sum := number(2), number(0)
	power.Mul(power, z)
	for n := range terms {
		sum.Add(sum, number(0).Quo(power, number(float64(2*n+1))))
		power.Mul(power, square)
	}
	return sum
}

func pbt() algorithms.Definition {
	resample := algorithms.Setting{
		Name: "resample_probability", Type: algorithms.FloatSetting, Max: 1,
		Help: "probability of a new draw instead of a perturbation",
	}
	// Katib's service knows the name and fails on every value, so that dialect lacks it.
	settings := inDialect("tuned", resample)
	return algorithms.Definition{
		Name:      "pbt",
		Summary:   "population based training: trials take over the state of better ones",
		Reference: "Jaderberg et al. 2017, Population based training of neural networks, arXiv:1711.09846",
		Settings: append([]algorithms.Setting{
			{Name: "suggestion_trial_dir", Type: algorithms.StringSetting, Required: true, Help: "folder of the checkpoints"},
			{Name: "n_population", Type: algorithms.IntSetting, Min: 5, Max: algorithms.Unbounded, Required: true, Help: "trials per generation"},
			{Name: "truncation_threshold", Type: algorithms.FloatSetting, Max: 1, Required: true, Help: "share of a generation that is replaced"},
		}, settings...),
	}
}

func atLeast(kind algorithms.SettingType, name string, least float64, value, help string) algorithms.Setting {
	return algorithms.Setting{Name: name, Type: kind, Min: least, Max: algorithms.Unbounded, Default: value, Help: help}
}

func choice(name, value, help string, choices ...string) algorithms.Setting {
	return algorithms.Setting{Name: name, Type: algorithms.StringSetting, Default: value, Help: help, Choices: choices}
}

func inDialect(dialect string, settings ...algorithms.Setting) []algorithms.Setting {
	for i := range settings {
		settings[i].Dialect = dialect
	}
	return settings
}
