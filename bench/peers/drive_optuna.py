"""Optuna: python drive_optuna.py gp|tpe|tpe-group|cmaes|nsga2|nsga3|random|auto|sha|hyperband

Parameters are suggested define-by-run, as Optuna's users do: those that are not active are not
suggested. Numbers on a grid are ints 0 to n-1. A failed trial is told as failed. Constraints are
set on the trial. Asked trials that are not told are running trials to Optuna, for which its
samplers have their own ways (GPSampler: qLogEI; TPESampler: constant liar).
"""

import contextlib
import importlib
import sys

import protocol  # before the rest

import optuna


def auto(seed):
    """Loads AutoSampler, which OptunaHub fetches when it is asked for it."""
    return importlib.import_module("optunahub").load_module("samplers/auto_sampler").AutoSampler(seed=seed)


SAMPLERS = {
    "gp": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "tpe-group": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, with_margin=True),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "nsga3": lambda seed: optuna.samplers.NSGAIIISampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "auto": auto,
    "sha": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "hyperband": lambda seed: optuna.samplers.TPESampler(seed=seed),
}

# The pruners of methods for trials that are trained epoch by epoch, from the first epoch on.
PRUNERS = {
    "sha": lambda epochs: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "hyperband": lambda epochs: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3),
}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        if self.method == "cmaes":
            self.single_objective()
        pruner = None
        if self.method in PRUNERS:
            self.trained()
            self.single_objective()
            pruner = PRUNERS[self.method](self.epochs)
        self.study = optuna.create_study(
            study_name="bench",  # by which HyperbandPruner chooses brackets
            directions=["minimize"] * self.objectives, sampler=SAMPLERS[self.method](self.seed), pruner=pruner,
        )
        self.trials = {}

    def ask(self, trial):
        with self.stopwatch:
            self.trials[trial] = t = self.study.ask()
            point = {}
            for p in self.space:
                if p.active(point):
                    point[p.name] = suggest(t, p)
        return point

    def report(self, trial, epoch, loss):
        t = self.trials[trial]
        with self.stopwatch:
            t.report(loss, epoch)
            if epoch < self.epochs and not t.should_prune():
                return False
            if epoch < self.epochs:
                self.study.tell(t, state=optuna.trial.TrialState.PRUNED)
            else:
                self.study.tell(t, loss)
            del self.trials[trial]
            return True

    def tell(self, trial, losses, constraints):
        t = self.trials.pop(trial)
        with self.stopwatch:
            if losses is None:
                self.study.tell(t, state=optuna.trial.TrialState.FAIL)
                return
            for i, value in enumerate(constraints):
                t.set_constraint(str(i), value)
            self.study.tell(t, losses)


def suggest(trial, p):
    """Returns the value that the trial suggests for an active parameter."""
    grid = p.grid()
    if grid:
        return grid[trial.suggest_int(p.name, 0, len(grid) - 1)]
    if p.kind == "categorical":
        return trial.suggest_categorical(p.name, p.values)
    if p.kind == "int":
        return trial.suggest_int(p.name, p.min, p.max, log=p.log)
    return trial.suggest_float(p.name, p.min, p.max, log=p.log)


def one_thread():
    """Prepares torch for the GP sampler, which is alone in using it.

    torch 1.13 lacks the use of a device as a context manager. The sampler wraps all of its work in
    that of the CPU, where torch works anyway.
    """
    import torch

    torch.set_num_threads(1)
    if not hasattr(torch.device, "__enter__"):
        import optuna.samplers._gp.sampler as module

        module.torch = _WithoutDevice(torch)
    return ["torch"]


class _WithoutDevice:
    def __init__(self, torch):
        self._torch = torch

    def __getattr__(self, name):
        return contextlib.nullcontext if name == "device" else getattr(self._torch, name)


def main():
    Run.method = sys.argv[1]
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parts = ["optuna", "numpy", "scipy"]
    if Run.method == "gp":
        parts += one_thread()
    if Run.method == "cmaes":
        importlib.import_module("cmaes")  # or the second ask would pay for it
        parts.append("cmaes")
    if Run.method == "auto":
        auto(0)
        parts.append("optunahub")
    protocol.serve("optuna-" + Run.method, parts, Run)


if __name__ == "__main__":
    main()
