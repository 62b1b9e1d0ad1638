"""pymoo: python drive_pymoo.py nsga2|nsga3

Its defaults: NSGA2 with 100 members; NSGA3 with one for each of the reference directions of Das and
Dennis, of which its documentation takes 91 for three objectives and 100 for two. A space of real
numbers alone is searched by its operators for reals, SBX and polynomial mutation, any other by those
for mixed variables. Numbers on a grid are Integer 0 to n-1, log scales the logarithm. pymoo works in
generations: where one has no child left to ask for while some are pending, the next ones are bred from
the same parents, and each batch is told when it is complete. A failed trial is told with the worst of
each loss so far. No conditional parameters.
"""

import math
import random
import sys

import protocol  # before the rest

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.algorithms.moo.nsga3 import NSGA3
from pymoo.core.evaluator import Evaluator
from pymoo.core.mixed import (
    MixedVariableDuplicateElimination,
    MixedVariableMating,
    MixedVariableSampling,
)
from pymoo.core.problem import Problem
from pymoo.core.variable import Choice, Integer, Real
from pymoo.problems.static import StaticProblem
from pymoo.termination.max_eval import MaximumFunctionCallTermination
from pymoo.util.ref_dirs import get_reference_directions


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.unconditional()
        random.seed(self.seed)
        np.random.seed(self.seed)
        real = all(p.kind == "double" and not p.grid() for p in self.space)
        self.problem = reals(self) if real else mixed(self)
        self.algorithm = make(self.method, self.objectives, {} if real else mixing())
        budget = MaximumFunctionCallTermination(n_max_evals=10 * self.budget)  # the bench ends the run
        self.algorithm.setup(self.problem, termination=budget, seed=self.seed, verbose=False)
        self.queue, self.batches, self.trials = [], {}, {}
        self.worst = None

    def ask(self, trial):
        with self.stopwatch:
            if not self.queue:
                batch = self.algorithm.infill()
                self.queue = [(batch, k) for k in range(len(batch))]
            batch, k = self.queue.pop(0)
            self.trials[trial] = batch, k
            x = batch[k].X
        values = x if isinstance(x, dict) else dict(zip((p.name for p in self.space), x))
        return {p.name: value(p, values[p.name]) for p in self.space}

    def tell(self, trial, losses, constraints):
        batch, k = self.trials.pop(trial)
        if losses is None:
            losses = [1.0] * self.objectives if self.worst is None else list(self.worst)
            constraints = [0.0] * self.constraints
        self.worst = np.array(losses) if self.worst is None else np.maximum(self.worst, losses)
        told = self.batches.setdefault(id(batch), {})
        told[k] = losses, constraints
        if len(told) < len(batch):
            return
        del self.batches[id(batch)]
        with self.stopwatch:
            results = {"F": np.array([told[i][0] for i in range(len(batch))], dtype=float)}
            if self.constraints:
                results["G"] = np.array([told[i][1] for i in range(len(batch))], dtype=float)
            Evaluator().eval(StaticProblem(self.problem, **results), batch)
            self.algorithm.tell(infills=batch)


def make(method, objectives, operators):
    """Returns the algorithm."""
    if method == "nsga2":
        return NSGA2(pop_size=100, **operators)
    divisions = {1: 1, 2: 99, 3: 12}.get(objectives, 6)
    directions = get_reference_directions("das-dennis", objectives, n_partitions=divisions)
    return NSGA3(ref_dirs=directions, pop_size=max(len(directions), 4), **operators)


def mixing():
    """Returns the operators for spaces that are not of real numbers alone."""
    duplicates = MixedVariableDuplicateElimination()
    return {
        "sampling": MixedVariableSampling(),
        "mating": MixedVariableMating(eliminate_duplicates=duplicates),
        "eliminate_duplicates": duplicates,
    }


def value(p, drawn):
    if p.log:
        drawn = math.exp(drawn)
        return p.value(round(drawn) if p.kind == "int" else drawn)
    return p.value(drawn)


def bounds(p):
    return (math.log(p.min), math.log(p.max)) if p.log else (p.min, p.max)


def reals(run):
    low, high = zip(*(bounds(p) for p in run.space))
    return Problem(
        n_var=len(run.space), n_obj=run.objectives, n_ieq_constr=run.constraints,
        xl=np.array(low, dtype=float), xu=np.array(high, dtype=float),
    )


def mixed(run):
    variables = {p.name: variable(p) for p in run.space}
    return Problem(vars=variables, n_obj=run.objectives, n_ieq_constr=run.constraints)


def variable(p):
    grid = p.grid()
    if grid:
        return Integer(bounds=(0, len(grid) - 1))
    if p.kind == "categorical":
        return Choice(options=list(p.values))
    if p.kind == "int" and not p.log:
        return Integer(bounds=(p.min, p.max))
    return Real(bounds=bounds(p))


def main():
    Run.method = sys.argv[1]
    protocol.serve("pymoo-" + Run.method, ["pymoo", "numpy", "scipy"], Run)


if __name__ == "__main__":
    main()
