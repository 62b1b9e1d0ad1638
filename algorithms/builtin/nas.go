package builtin

import (
	"errors"
	"slices"

	"github.com/tuned-hpo/tuned/algorithms"
)

// enas and darts search architectures, which spec.nasConfig describes, and no parameters. They are
// known so that the refusal can say so.

func enas() algorithms.Definition {
	return algorithms.Definition{
		Name:      "enas",
		Summary:   "efficient neural architecture search",
		Reference: "Pham, Guan, Zoph, Le and Dean 2018, Efficient neural architecture search via parameter sharing",
		Settings: slices.Concat(
			numbers(algorithms.IntSetting, "controller_hidden_size", "64", "controller_train_steps", "50",
				"controller_log_every_steps", "10"),
			numbers(algorithms.FloatSetting, "controller_temperature", "5.0", "controller_tanh_const", "2.25",
				"controller_entropy_weight", "1e-5", "controller_baseline_decay", "0.999", "controller_learning_rate", "5e-5",
				"controller_skip_target", "0.4", "controller_skip_weight", "0.8")),
		Check: refuseNAS,
	}
}

func darts() algorithms.Definition {
	return algorithms.Definition{
		Name:      "darts",
		Summary:   "differentiable architecture search",
		Reference: "Liu, Simonyan and Yang 2019, DARTS: differentiable architecture search",
		Settings: slices.Concat(
			numbers(algorithms.IntSetting, "num_epochs", "50", "batch_size", "128", "num_workers", "4",
				"init_channels", "16", "print_step", "50", "num_nodes", "4", "stem_multiplier", "3"),
			numbers(algorithms.FloatSetting, "w_lr", ".025", "w_lr_min", ".001", "w_momentum", ".9", "w_weight_decay", "3e-4",
				"w_grad_clip", "5", "alpha_lr", "3e-4", "alpha_weight_decay", "1e-3")),
		Check: refuseNAS,
	}
}

func refuseNAS(algorithms.Problem, algorithms.Values) error {
	return errors.New("spec.nasConfig: neural architecture search needs an external service, only spec.parameters is searched here")
}

// numbers lists settings of one type by name and default.
func numbers(kind algorithms.SettingType, namesAndDefaults ...string) []algorithms.Setting {
	var out []algorithms.Setting
	for pair := range slices.Chunk(namesAndDefaults, 2) {
		out = append(out, algorithms.Setting{Name: pair[0], Type: kind, Max: algorithms.Unbounded, Default: pair[1], Help: "passed to the service"})
	}
	return out
}
