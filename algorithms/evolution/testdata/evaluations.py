"""Counts the evaluations of a published CMA-ES: python evaluations.py LIBRARY FUNCTION DIMENSION RUNS MOST

LIBRARY is pycma, cmaes or cmaes-lr, which adapts its learning rates. Each run starts as known_test.go does, and prints how many
evaluations it took to its target, 0 for more than MOST.
"""

import math
import random
import sys

import cma
import cmaes
import numpy as np


# By name: the function, the coordinate of the start, the first step size, the target, and the variance of its noise. That of a
# noisy function is to be reached by the mean, of which the others know nothing.
FUNCTIONS = {
    "sphere": (lambda x: sum(v * v for v in x), 1, 0.5, 1e-8, 0),
    "ellipsoid": (lambda x: sum(1e6 ** (i / (len(x) - 1)) * v * v for i, v in enumerate(x)), 1, 0.5, 1e-8, 0),
    "noisysphere": (lambda x: sum(v * v for v in x), 3, 2, 0.03, 1),
}


def count(library, function, n, seed, most):
    f, start, sigma, target, noise = FUNCTIONS[function]
    random.seed(seed)
    if library == "pycma":
        es = cma.CMAEvolutionStrategy([start] * n, sigma, {"seed": seed + 1, "verbose": -9})
    else:
        es = cmaes.CMA(np.full(n, float(start)), sigma, seed=seed, lr_adapt=library == "cmaes-lr")
    evaluations = 0
    while evaluations < most:
        points = es.ask() if library == "pycma" else [es.ask() for _ in range(es.population_size)]
        values = []
        for x in points:
            evaluations += 1
            values.append(f(x))
            if not noise and values[-1] <= target:
                return evaluations
        if noise:
            if f(es.mean) <= target:
                return evaluations
            values = [v + random.gauss(0, math.sqrt(noise)) for v in values]
        if library == "pycma":
            es.tell(points, values)
        else:
            es.tell(list(zip(points, values)))
    return 0


if __name__ == "__main__":
    library, function, n, runs, most = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    for seed in range(runs):
        print(count(library, function, n, seed, most))
