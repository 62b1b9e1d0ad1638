"""nevergrad: python drive_nevergrad.py ngopt, its choice among its optimizers

A parameter with children is a Choice of dictionaries, each with children of its own, so a child
below two values is two parameters. Other numbers on a grid are integer scalars 0 to n-1. A failed
trial is told with the worst loss so far, for an infinite one upsets most methods. Asked trials that
are not told are known to the optimizer, as are the number of workers and the budget.
"""

import sys

import protocol  # before the rest

import nevergrad as ng

OPTIMIZERS = {"ngopt": "NGOpt"}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.parents = {p.parent for p in self.space}
        parametrization = ng.p.Dict(**self.branch("", None))
        parametrization.random_state.seed(self.seed)
        optimizer = ng.optimizers.registry[OPTIMIZERS[self.method]]
        self.optimizer = optimizer(parametrization, budget=self.budget, num_workers=self.parallel)
        self.candidates = {}
        self.worst = None

    def branch(self, parent, value):
        """Returns the parameters below the given value of a parent, by name."""
        return {
            p.name: self.parameter(p)
            for p in self.space
            if p.parent == parent and (not parent or value in p.when)
        }

    def parameter(self, p):
        if p.name in self.parents:
            return ng.p.Choice([ng.p.Dict(value=v, **self.branch(p.name, v)) for v in p.levels()])
        if p.kind == "categorical":
            return ng.p.Choice(p.values)
        grid = p.grid()
        if grid:
            return ng.p.Scalar(lower=0, upper=len(grid) - 1).set_integer_casting()
        scalar = (ng.p.Log if p.log else ng.p.Scalar)(lower=p.min, upper=p.max)
        return scalar.set_integer_casting() if p.kind == "int" else scalar

    def ask(self, trial):
        with self.stopwatch:
            self.candidates[trial] = c = self.optimizer.ask()
        return self.point(c.value, {})

    def point(self, values, point):
        """Adds the values of a dictionary and of those within it to the point."""
        for p in self.space:
            if p.name not in values:
                continue
            v = values[p.name]
            if p.name in self.parents:
                point[p.name] = v["value"]
                self.point({k: w for k, w in v.items() if k != "value"}, point)
            else:
                point[p.name] = p.value(v)
        return point

    def tell(self, trial, losses, constraints):
        candidate = self.candidates.pop(trial)
        if losses is None:
            losses, constraints = self.worst or [1.0] * self.objectives, []
        else:
            self.worst = [max(pair) for pair in zip(self.worst or losses, losses)]
        with self.stopwatch:
            self.optimizer.tell(
                candidate,
                losses[0] if self.objectives == 1 else losses,
                [max(c, 0.0) for c in constraints] or None,
            )


if __name__ == "__main__":
    Run.method = sys.argv[1]
    protocol.serve("nevergrad-" + Run.method, ["nevergrad", "cma", "numpy", "scipy"], Run)
