"""scikit-optimize: python drive_skopt.py gp

The default Optimizer: a GP, gp_hedge, ten random points first. Numbers on a grid are Integer 0 to
n-1. A failed trial is told with the worst loss so far, as its users do, for it refuses NaN. It knows
no pending trials; the driver does what its own ask(n_points) does: it tells a copy of the optimizer
the least loss so far for each of them, and asks the copy. No conditional parameters.
"""

import sys

import protocol  # before the rest

import skopt
from skopt import space


class Run(protocol.Run):
    def __init__(self, start):
        super().__init__(start)
        self.single_objective()
        self.unconditional()
        self.optimizer = skopt.Optimizer([dimension(p) for p in self.space], random_state=self.seed)
        self.pending = {}

    def ask(self, trial):
        with self.stopwatch:
            x = self.spreading().ask()
        self.pending[trial] = x
        return {p.name: p.value(v) for p, v in zip(self.space, x)}

    def spreading(self):
        """Returns the optimizer, or where trials are pending a copy that was told lies of them."""
        losses = self.optimizer.yi
        if not self.pending or not losses:
            return self.optimizer
        liar = self.optimizer.copy(random_state=self.optimizer.rng.randint(2**31 - 1))
        for x in self.pending.values():
            liar.tell(x, min(losses))
        return liar

    def tell(self, trial, losses, constraints):
        x = self.pending.pop(trial)
        worst = max(self.optimizer.yi, default=1.0)
        with self.stopwatch:
            self.optimizer.tell(x, worst if losses is None else losses[0])


def dimension(p):
    grid = p.grid()
    prior = "log-uniform" if p.log else "uniform"
    if grid:
        return space.Integer(0, len(grid) - 1, name=p.name)
    if p.kind == "categorical":
        return space.Categorical(p.values, name=p.name)
    if p.kind == "int":
        return space.Integer(p.min, p.max, prior=prior, name=p.name)
    return space.Real(p.min, p.max, prior=prior, name=p.name)


if __name__ == "__main__":
    protocol.serve("skopt-" + sys.argv[1], ["scikit-optimize", "numpy", "scipy", "scikit-learn"], Run)
