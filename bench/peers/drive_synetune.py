"""Syne Tune: python drive_synetune.py asha|bohb|bore

The schedulers are asked directly: all are asynchronous successive halving by stopping, with the defaults of Syne Tune's
baselines, and new configurations that are random (asha), of kernel densities (bohb), or of a classifier
(bore). Only trials that are trained epoch by epoch are of use to them.
"""

import datetime
import sys

import protocol  # before the rest

import numpy as np
from syne_tune.backend.trial_status import Trial
from syne_tune.config_space import choice, lograndint, loguniform, randint, uniform
from syne_tune.optimizer import baselines
from syne_tune.optimizer.scheduler import SchedulerDecision

METHODS = {"asha": baselines.ASHA, "bohb": baselines.BOHB, "bore": baselines.ASHABORE}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.trained()
        self.single_objective()
        self.unconditional()
        np.random.seed(self.seed)  # of brackets, which are drawn from the global source
        self.scheduler = METHODS[self.method](
            {p.name: domain(p) for p in self.space},
            metric="loss", time_attr="epoch", max_t=self.epochs, random_seed=self.seed,
        )
        self.trials = {}

    def ask(self, trial):
        with self.stopwatch:
            config = self.scheduler.suggest().config
            t = Trial(trial_id=trial - 1, config=config, creation_time=datetime.datetime.now())
            self.scheduler.on_trial_add(t)
        self.trials[trial] = t
        return {p.name: p.value(config[p.name]) for p in self.space}

    def report(self, trial, epoch, loss):
        result = {"loss": loss, "epoch": epoch}
        with self.stopwatch:
            if self.scheduler.on_trial_result(self.trials[trial], result) == SchedulerDecision.CONTINUE:
                return False
            self.scheduler.on_trial_remove(self.trials.pop(trial))
            return True


def domain(p):
    """Returns a parameter in the words of Syne Tune."""
    grid = p.grid()
    if grid:
        return randint(0, len(grid) - 1)
    if p.kind == "categorical":
        return choice(list(p.values))
    if p.kind == "int":
        return lograndint(p.min, p.max) if p.log else randint(p.min, p.max)
    return loguniform(p.min, p.max) if p.log else uniform(p.min, p.max)


if __name__ == "__main__":
    Run.method = sys.argv[1]
    protocol.serve("synetune-" + Run.method, ["syne-tune", "numpy", "scikit-learn", "xgboost"], Run)
