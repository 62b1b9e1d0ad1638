"""Ax, on BoTorch: python drive_ax.py fast, the method that it takes by default

The centre, Sobol' points, then BoTorch. Numbers on a grid are integers 0 to n-1. A failed trial is
marked as failed; asked trials that are not told are running trials. Conditional parameters are
refused: Ax has them only below a single root.
"""

import logging
import sys

import protocol  # before the rest

import torch
from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.unconditional()
        self.client = Client(random_seed=self.seed)
        self.client.configure_experiment(parameters=[parameter(p) for p in self.space])
        self.losses = [f"loss{i}" for i in range(self.objectives)]
        self.limits = [f"limit{i}" for i in range(self.constraints)]
        self.client.configure_optimization(
            objective=", ".join("-" + name for name in self.losses),
            outcome_constraints=[name + " <= 0" for name in self.limits],
        )
        self.client.configure_generation_strategy(
            method=self.method, initialization_random_seed=self.seed
        )
        self.indices = {}

    def ask(self, trial):
        with self.stopwatch:
            (item,) = self.client.get_next_trials(max_trials=1).items()
        self.indices[trial], values = item
        return {p.name: p.value(values[p.name]) for p in self.space}

    def tell(self, trial, losses, constraints):
        index = self.indices.pop(trial)
        with self.stopwatch:
            if losses is None:
                self.client.mark_trial_failed(index)
                return
            outcomes = dict(zip(self.losses + self.limits, losses + constraints))
            self.client.complete_trial(index, raw_data=outcomes)


def parameter(p):
    grid = p.grid()
    if grid:
        return RangeParameterConfig(name=p.name, bounds=(0, len(grid) - 1), parameter_type="int")
    if p.kind == "categorical":
        return ChoiceParameterConfig(
            name=p.name, values=list(p.values), parameter_type="str", is_ordered=False
        )
    return RangeParameterConfig(
        name=p.name,
        bounds=(p.min, p.max),
        parameter_type="int" if p.kind == "int" else "float",
        scaling="log" if p.log else "linear",
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    Run.method = sys.argv[1]
    protocol.serve("ax-" + Run.method, ["ax-platform", "botorch", "gpytorch", "torch", "numpy"], Run)
