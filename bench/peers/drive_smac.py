"""SMAC3: python drive_smac.py hpo|blackbox, the name of a facade

Conditions are stated as conditions. Numbers on a grid are uniform integers 0 to n-1. The scenario
is deterministic, that is SMAC evaluates no point twice to average noise, as no other peer does. A
failed trial is told as crashed, at the cost of the worst so far: an infinite one would reach the
logarithm that SMAC takes. Asked trials that are not told are running trials to SMAC.
"""

import logging
import sys
import tempfile

import protocol  # before the rest

import smac
from ConfigSpace import Categorical, ConfigurationSpace, Float, InCondition, Integer
from smac.runhistory.dataclasses import TrialValue
from smac.runhistory.enumerations import StatusType

FACADES = {"hpo": smac.HyperparameterOptimizationFacade, "blackbox": smac.BlackBoxFacade}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.single_objective()
        self.folder = tempfile.TemporaryDirectory()
        self.parameters = {p.name: p for p in self.space}
        scenario = smac.Scenario(
            self.configspace(),
            output_directory=self.folder.name,
            deterministic=True,
            n_trials=self.budget,
            seed=self.seed % 2**31,
        )
        self.optimizer = FACADES[self.method](
            scenario, lambda config, seed=0: 0.0, logging_level=logging.ERROR, overwrite=True
        )
        self.infos = {}
        self.worst = None

    def configspace(self):
        space = ConfigurationSpace(seed=self.seed)
        for p in self.space:
            space.add(hyperparameter(p))
        for p in self.space:
            if p.parent:
                grid = self.parameters[p.parent].grid()
                when = [grid.index(v) for v in p.when] if grid else list(p.when)
                space.add(InCondition(space[p.name], space[p.parent], when))
        return space

    def ask(self, trial):
        with self.stopwatch:
            self.infos[trial] = info = self.optimizer.ask()
        point = {}
        for p in self.space:
            if p.active(point):
                point[p.name] = p.value(info.config[p.name])
        return point

    def tell(self, trial, losses, constraints):
        info = self.infos.pop(trial)
        if losses is None:
            value = TrialValue(cost=1.0 if self.worst is None else self.worst, status=StatusType.CRASHED)
        else:
            self.worst = max(losses[0], losses[0] if self.worst is None else self.worst)
            value = TrialValue(cost=losses[0])
        with self.stopwatch:
            self.optimizer.tell(info, value, save=False)


def hyperparameter(p):
    grid = p.grid()
    if grid:
        return Integer(p.name, (0, len(grid) - 1))
    if p.kind == "categorical":
        return Categorical(p.name, p.values)
    if p.kind == "int":
        return Integer(p.name, (p.min, p.max), log=p.log)
    return Float(p.name, (p.min, p.max), log=p.log)


if __name__ == "__main__":
    Run.method = sys.argv[1]
    protocol.serve("smac-" + Run.method, ["smac", "ConfigSpace", "numpy", "scikit-learn"], Run)
