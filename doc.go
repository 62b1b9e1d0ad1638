// Package tuned is the root of a hyperparameter-tuning engine. It holds no code: its test keeps
// the layers of the tree, the programs are in cmd.
package tuned
