"""hyperopt: python drive_hyperopt.py tpe

Conditions are nests of hp.choice, so a parent is a choice whatever its kind. Other numbers on a
grid are hp.uniformint 0 to n-1; an int on a log scale is hp.qloguniform from half below its range
to half above. A failed trial is told with the status "fail", which TPE leaves out. hyperopt counts
trials that are not told, but TPE does not look at their points.
"""

import math
import sys

import protocol  # before the rest

import hyperopt
import numpy
from hyperopt import hp

SUGGEST = {"tpe": hyperopt.tpe.suggest}


class Run(protocol.Run):
    method = ""

    def __init__(self, start):
        super().__init__(start)
        self.single_objective()
        self.parents = {p.parent for p in self.space}
        self.domain = hyperopt.Domain(lambda point: 0, self.branch("", None, {}))
        self.trials = hyperopt.Trials()
        self.random = numpy.random.default_rng(self.seed)
        self.docs = {}

    def branch(self, parent, value, made):
        """Returns the space of all parameters below the given value of a parent.

        made holds the expressions by name, for a parameter below several values is one and the same.
        """
        space = {}
        for p in self.space:
            if p.parent != parent or (parent and value not in p.when):
                continue
            if p.name not in made:
                made[p.name] = self.expression(p, made)
            space[p.name] = made[p.name]
        return space

    def expression(self, p, made):
        if p.name in self.parents:
            return hp.choice(p.name, [self.branch(p.name, v, made) for v in p.levels()])
        if p.kind == "categorical":
            return hp.choice(p.name, p.values)
        grid = p.grid()
        if grid:
            return hp.uniformint(p.name, 0, len(grid) - 1)
        if p.kind == "int" and p.log:
            return hp.qloguniform(p.name, math.log(p.min - 0.5), math.log(p.max + 0.5), 1)
        if p.kind == "int":
            return hp.uniformint(p.name, p.min, p.max)
        if p.log:
            return hp.loguniform(p.name, math.log(p.min), math.log(p.max))
        return hp.uniform(p.name, p.min, p.max)

    def ask(self, trial):
        with self.stopwatch:
            ids = self.trials.new_trial_ids(1)
            seed = int(self.random.integers(2**31 - 1))  # as fmin draws it
            docs = SUGGEST[self.method](ids, self.domain, self.trials, seed)
            self.trials.insert_trial_docs(docs)
            self.trials.refresh()
        # The list of trials holds the document that was inserted.
        self.docs[trial] = next(d for d in self.trials._dynamic_trials if d["tid"] == ids[0])
        values = self.docs[trial]["misc"]["vals"]
        point = {}
        for p in self.space:
            if p.active(point):
                point[p.name] = self.value(p, values[p.name][0])
        return point

    def value(self, p, drawn):
        if p.name in self.parents or p.kind == "categorical":
            return p.levels()[int(drawn)]
        return p.value(drawn)

    def tell(self, trial, losses, constraints):
        doc = self.docs.pop(trial)
        with self.stopwatch:
            doc["state"] = hyperopt.JOB_STATE_DONE
            if losses is None:
                doc["result"] = {"status": hyperopt.STATUS_FAIL}
            else:
                doc["result"] = {"status": hyperopt.STATUS_OK, "loss": losses[0]}
            self.trials.refresh()


if __name__ == "__main__":
    Run.method = sys.argv[1]
    protocol.serve("hyperopt-" + Run.method, ["hyperopt", "numpy"], Run)
