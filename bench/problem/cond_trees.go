package problem

import (
	"slices"
	"strconv"

	"github.com/tuned-hpo/tuned/pkg/searchspace"
)

// trees are the members of cond8.
var trees = map[string][]searchspace.Parameter{
	"optimizer": {
		choice("optimizer", "sgd", "adam", "rmsprop"),
		span("lr", 1e-5, 1, true),
		span("weight_decay", 1e-6, 1e-1, true),
		when("optimizer", []string{"sgd"}, span("momentum", 0, 0.99, false)),
		when("optimizer", []string{"sgd"}, choice("nesterov", "off", "on")),
		when("optimizer", []string{"adam"}, span("beta1", 0.5, 0.99, false)),
		when("optimizer", []string{"adam"}, span("beta2", 0.9, 0.9999, false)),
		when("optimizer", []string{"rmsprop"}, span("alpha", 0.8, 0.999, false)),
	},
	"layers": append([]searchspace.Parameter{
		whole("layers", 1, 4, false), span("lr", 1e-5, 1e-1, true), ladder("batch", 16, 32, 64, 128, 256),
	}, layerWidths(4)...),
	"kernel": {
		choice("kernel", "linear", "poly", "rbf", "sigmoid"),
		span("c", 1e-3, 1e3, true),
		when("kernel", []string{"poly", "rbf", "sigmoid"}, span("gamma", 1e-5, 10, true)),
		when("kernel", []string{"poly"}, whole("degree", 2, 6, false)),
		when("kernel", []string{"poly", "sigmoid"}, span("coef0", -1, 1, false)),
	},
	"booster": {
		choice("booster", "tree", "dart", "linear"),
		span("eta", 1e-3, 1, true), span("lambda", 1e-4, 10, true),
		when("booster", []string{"tree", "dart"}, whole("depth", 2, 14, false)),
		when("booster", []string{"tree", "dart"}, span("subsample", 0.2, 1, false)),
		when("booster", []string{"dart"}, span("drop", 0, 0.5, false)),
		when("booster", []string{"dart"}, span("skip", 0, 0.5, false)),
		when("booster", []string{"linear"}, choice("updater", "shotgun", "coordinate")),
		when("updater", []string{"coordinate"}, whole("top", 1, 20, true)),
	},
	"model": {
		choice("model", "forest", "svm", "neighbours", "network"),
		when("model", []string{"forest"}, whole("trees", 10, 1000, true)),
		when("model", []string{"forest"}, span("features", 0.1, 1, false)),
		when("model", []string{"svm"}, span("c", 1e-3, 1e3, true)),
		when("model", []string{"svm"}, choice("kernel", "linear", "rbf")),
		when("kernel", []string{"rbf"}, span("gamma", 1e-5, 10, true)),
		when("model", []string{"neighbours"}, whole("k", 1, 50, true)),
		when("model", []string{"network"}, span("lr", 1e-5, 1e-1, true)),
		when("model", []string{"network"}, choice("solver", "adam", "sgd")),
		when("solver", []string{"sgd"}, span("momentum", 0, 0.99, false)),
	},
	"pipeline": {
		choice("scaler", "none", "standard", "quantile"),
		when("scaler", []string{"quantile"}, whole("quantiles", 10, 1000, true)),
		choice("reducer", "none", "pca", "kernel"),
		when("reducer", []string{"pca", "kernel"}, whole("components", 2, 64, true)),
		when("reducer", []string{"kernel"}, choice("kernel", "rbf", "poly")),
		when("kernel", []string{"rbf"}, span("gamma", 1e-4, 10, true)),
		when("kernel", []string{"poly"}, whole("degree", 2, 5, false)),
		span("c", 1e-3, 1e3, true),
	},
	"schedule": {
		choice("schedule", "constant", "step", "cosine"),
		span("lr", 1e-5, 1, true), span("dropout", 0, 0.7, false),
		when("schedule", []string{"step"}, whole("every", 1, 30, false)),
		when("schedule", []string{"step"}, span("factor", 0.05, 0.9, false)),
		when("schedule", []string{"cosine"}, whole("warmup", 0, 10, false)),
		when("schedule", []string{"cosine"}, span("final", 1e-4, 1e-1, true)),
		choice("augment", "none", "mixup", "cutout"),
		when("augment", []string{"mixup"}, span("mix", 0.05, 2, true)),
		when("augment", []string{"cutout"}, ladder("hole", 4, 8, 12, 16, 20)),
	},
	"chain": {
		choice("a", "a0", "a1"), span("x", 0, 1, false),
		when("a", []string{"a0"}, span("xa0", 0, 1, false)),
		when("a", []string{"a1"}, span("xa1", 0, 1, false)),
		when("a", []string{"a1"}, choice("b", "b0", "b1", "b2")),
		when("b", []string{"b0"}, span("xb0", 0, 1, false)),
		when("b", []string{"b1", "b2"}, span("xb12", 0, 1, false)),
		when("b", []string{"b2"}, choice("c", "c0", "c1")),
		when("c", []string{"c0"}, span("xc0", 0, 1, false)),
		when("c", []string{"c1"}, span("xc1", 0, 1, false)),
		when("c", []string{"c1"}, span("yc1", 0, 1, false)),
	},
}

// layerWidths are a width and a dropout rate for each of up to n layers.
func layerWidths(n int) []searchspace.Parameter {
	var params []searchspace.Parameter
	var atLeast []string
	for k := n; k >= 1; k-- {
		atLeast = append(atLeast, strconv.Itoa(k))
		at := slices.Clone(atLeast)
		number := strconv.Itoa(k)
		params = append(params,
			when("layers", at, whole("width"+number, 16, 1024, true)),
			when("layers", at, span("dropout"+number, 0, 0.8, false)))
	}
	return params
}

func span(name string, low, high float64, log bool) searchspace.Parameter {
	p := searchspace.Parameter{Name: name, Kind: searchspace.Double, Min: low, Max: high}
	if log {
		p.Distribution = searchspace.LogUniform
	}
	return p
}

func whole(name string, low, high float64, log bool) searchspace.Parameter {
	p := span(name, low, high, log)
	p.Kind = searchspace.Int
	return p
}

func when(parent string, values []string, p searchspace.Parameter) searchspace.Parameter {
	p.ActiveWhen = &searchspace.Condition{Parent: parent, Values: values}
	return p
}
