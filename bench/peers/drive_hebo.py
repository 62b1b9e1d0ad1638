"""HEBO: python drive_hebo.py

The default optimizer: a GP, and MACE. Numbers on a grid are "int" 0 to n-1. A failed trial is observed
as NaN, which it leaves out. It knows no pending trials but those of one call, so for trials in
parallel it is asked one by one; its choice from the Pareto front is random, which keeps them apart.
No conditional parameters.
"""

import protocol  # before the rest

import numpy
import pandas
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO


class Run(protocol.Run):
    def __init__(self, start):
        super().__init__(start)
        self.single_objective()
        self.unconditional()
        numpy.random.seed(self.seed)
        torch.manual_seed(self.seed)
        space = DesignSpace().parse([parameter(p) for p in self.space])
        self.optimizer = HEBO(space, scramble_seed=self.seed)
        self.asked = {}

    def ask(self, trial):
        with self.stopwatch:
            x = self.optimizer.suggest(1)
        self.asked[trial] = x
        return {p.name: p.value(x[p.name].iloc[0]) for p in self.space}

    def tell(self, trial, losses, constraints):
        y = numpy.array([[numpy.nan if losses is None else losses[0]]])
        x = self.asked.pop(trial)
        with self.stopwatch:
            self.optimizer.observe(x, y)


def parameter(p):
    grid = p.grid()
    if grid:
        return {"name": p.name, "type": "int", "lb": 0, "ub": len(grid) - 1}
    if p.kind == "categorical":
        return {"name": p.name, "type": "cat", "categories": list(p.values)}
    kinds = {("int", False): "int", ("int", True): "pow_int", ("double", False): "num", ("double", True): "pow"}
    return {"name": p.name, "type": kinds[p.kind, p.log], "lb": p.min, "ub": p.max}


if __name__ == "__main__":
    torch.set_num_threads(1)
    protocol.serve("hebo", ["HEBO", "torch", "gpytorch", "pymoo", "numpy"], Run)
