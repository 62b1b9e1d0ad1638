"""Open-source Vizier: python drive_vizier.py gp, its default algorithm, GP-UCB-PE

The designer is used without the service, as its own benchmarks do. It compiles its model for each
number of trials; the compiled programs are kept between runs, so that only the first pays for them,
and the seconds of the others are less than a user's. Numbers on a grid are integers 0
to n-1. A failed trial is completed as infeasible, for which it has a way. Asked trials that are not
told are active trials. It refuses conditional parameters.
"""

import os
import sys

import protocol  # before the rest

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_COMPILATION_CACHE_DIR"] = os.path.join(sys.prefix, "programs")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
from vizier import algorithms
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit


class Run(protocol.Run):
    def __init__(self, start):
        super().__init__(start)
        self.unconditional()
        if self.constraints:
            raise protocol.Unsupported("its constraints are on the safety of a trial")
        problem = vz.ProblemStatement()
        for p in self.space:
            add(problem.search_space.root, p)
        for i in range(self.objectives):
            problem.metric_information.append(
                vz.MetricInformation(name=str(i), goal=vz.ObjectiveMetricGoal.MINIMIZE)
            )
        self.designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(self.seed))
        self.active = {}

    def ask(self, trial):
        with self.stopwatch:
            self.update([])
            t = self.designer.suggest(1)[0].to_trial(trial)
        self.active[trial] = t
        return {p.name: p.value(t.parameters.get_value(p.name)) for p in self.space}

    def tell(self, trial, losses, constraints):
        t = self.active.pop(trial)
        with self.stopwatch:
            if losses is None:
                t.complete(vz.Measurement(), infeasibility_reason="failed")
            else:
                t.complete(vz.Measurement(metrics={str(i): v for i, v in enumerate(losses)}))
            self.update([t])

    def update(self, completed):
        self.designer.update(
            algorithms.CompletedTrials(completed), algorithms.ActiveTrials(list(self.active.values()))
        )


def add(root, p):
    """Adds a parameter to the root of the space."""
    grid = p.grid()
    scale = vz.ScaleType.LOG if p.log else vz.ScaleType.LINEAR
    if grid:
        root.add_int_param(p.name, 0, len(grid) - 1)
    elif p.kind == "categorical":
        root.add_categorical_param(p.name, p.values)
    elif p.kind == "int":
        root.add_int_param(p.name, p.min, p.max, scale_type=scale)
    else:
        root.add_float_param(p.name, p.min, p.max, scale_type=scale)


if __name__ == "__main__":
    protocol.serve("vizier-" + sys.argv[1], ["google-vizier", "jax", "tfp-nightly", "numpy"], Run)
