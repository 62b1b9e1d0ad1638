// Package bayes holds algorithms that learn a model of the losses from the trials told, and suggest
// where the model promises most: Gaussian processes and tree-structured Parzen estimators.
package bayes
