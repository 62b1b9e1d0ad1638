// Package multifidelity holds the algorithms that try many configurations with little resource (epochs,
// data, time) and only the best ones with more: successive halving, Hyperband, ASHA and BOHB. The
// resource is a parameter of the search space; all the others together are a configuration.
//
// A suggester puts two parts together: a schedule, which says what is to run next, at which level of the
// resource, and a source of new configurations, which is random or a model.
package multifidelity
