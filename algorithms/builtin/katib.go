package builtin

import "github.com/tuned-hpo/tuned/algorithms"

// The definitions below have no New yet. Their settings are those of Katib 0.19, so that an
// experiment is checked in full before it is refused.

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

func inDialect(dialect string, settings ...algorithms.Setting) []algorithms.Setting {
	for i := range settings {
		settings[i].Dialect = dialect
	}
	return settings
}
