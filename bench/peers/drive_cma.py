"""pycma: python drive_cma.py pycma

It works on the unit cube, from its middle, with a step size of a sixth and its own way with bounds. Labels
are steps in their order, for it takes numbers alone. A generation is told as a whole.
Whoever asks while one is under way and has no point left gets a further one of the same distribution, which is
not told. A failed trial counts as no better than the worst of its generation.
"""

import math
import sys

import protocol  # before the rest

import cma


class Run(protocol.Run):
    def __init__(self, start):
        super().__init__(start)
        self.single_objective()
        self.unconditional()
        options = {"bounds": [0, 1], "seed": self.seed + 1, "verbose": -9}
        self.es = cma.CMAEvolutionStrategy([0.5] * len(self.space), 1 / 6, options)
        self.generation = []  # points
        self.places = {}  # of trials in the generation; None for further ones
        self.losses = {}  # by place
        self.asked = 0

    def ask(self, trial):
        with self.stopwatch:
            if len(self.losses) == len(self.generation):
                self.generation, self.losses, self.asked = self.es.ask(), {}, 0
            if self.asked < len(self.generation):
                place, u = self.asked, self.generation[self.asked]
                self.asked += 1
            else:
                place, u = None, self.es.ask(1)[0]
            self.places[trial] = place
        return {p.name: value(p, min(max(float(x), 0.0), 1.0)) for p, x in zip(self.space, u)}

    def tell(self, trial, losses, constraints):
        place = self.places.pop(trial)
        if place is None:
            return
        with self.stopwatch:
            self.losses[place] = math.inf if losses is None else losses[0]
            if len(self.losses) == len(self.generation):
                known = [v for v in self.losses.values() if v < math.inf]
                worst = max(known, default=0.0)
                told = [min(self.losses[k], worst) for k in range(len(self.generation))]
                self.es.tell(self.generation, told)


def value(p, u):
    """Returns the value of a parameter at a place of the unit interval."""
    grid = p.grid()
    if p.kind == "categorical" or (p.kind == "int" and not p.log):
        grid = p.levels()
    if grid:
        return grid[min(int(u * len(grid)), len(grid) - 1)]
    if p.log:
        v = p.min * (p.max / p.min) ** u
        return p.value(round(v) if p.kind == "int" else v)
    return p.value(p.min + u * (p.max - p.min))


if __name__ == "__main__":
    protocol.serve("cma-" + sys.argv[1], ["cma", "numpy"], Run)
