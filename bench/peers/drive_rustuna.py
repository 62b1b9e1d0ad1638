"""rustuna: python drive_rustuna.py tpe

Parameters are suggested define-by-run, as with Optuna: those that are not active are not suggested.
Numbers on a grid are ints 0 to n-1. A failed trial is told as failed. Asked trials that are not
told are running trials to the study.
"""

import sys

import protocol  # before the rest

import rustuna

SAMPLERS = {"tpe": rustuna.samplers.TPESampler}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.study = rustuna.create_study(
            directions=["minimize"] * self.objectives, sampler=SAMPLERS[self.method](seed=self.seed)
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

    def tell(self, trial, losses, constraints):
        t = self.trials.pop(trial)
        with self.stopwatch:
            if losses is None:
                self.study.tell(t.number, state=rustuna.trial.TrialState.FAIL)
                return
            if constraints:
                t.set_constraints({str(i): c for i, c in enumerate(constraints)})
            self.study.tell(t.number, losses)


def suggest(trial, p):
    """Returns the value that the trial suggests for an active parameter."""
    grid = p.grid()
    if grid:
        return grid[trial.suggest_int(p.name, 0, len(grid) - 1)]
    if p.kind == "categorical":
        return trial.suggest_categorical(p.name, list(p.values))
    if p.kind == "int":
        return trial.suggest_int(p.name, p.min, p.max, log=p.log)
    return trial.suggest_float(p.name, p.min, p.max, log=p.log)


if __name__ == "__main__":
    Run.method = sys.argv[1]
    protocol.serve("rustuna-" + Run.method, ["rustuna"], Run)
