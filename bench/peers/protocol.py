"""The line protocol of README.md, for drivers of Python libraries.

A driver imports this module before any other, for the numbers of threads are set here, and calls
serve() with a class of runs. Each driver tells in its own words what it does about failed trials
and how it writes the parameters of the space in the terms of its library.
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
    os.environ[_name + "_NUM_THREADS"] = "1"  # read by numpy and torch when they are imported

import dataclasses  # noqa: E402
import importlib.metadata  # noqa: E402
import json  # noqa: E402
import math  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402


class Unsupported(Exception):
    """Raised by a run's constructor: why the library cannot work on the space."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of the space, as README.md describes it."""

    name: str
    kind: str  # double, int, discrete or categorical
    min: float = 0.0
    max: float = 0.0  # included
    step: float = 0.0  # 0: continuous, or steps of 1 for an int
    log: bool = False
    numbers: tuple = ()  # of a discrete one, ascending
    values: tuple = ()  # of a categorical one
    parent: str = ""  # "": always active
    when: tuple = ()  # the values of the parent at which it is active

    def __post_init__(self):
        if self.kind == "int":
            for name in ("min", "max", "step"):
                object.__setattr__(self, name, int(getattr(self, name)))

    def active(self, point):
        """Tells whether it belongs to a point that holds all parameters before this one."""
        return not self.parent or point.get(self.parent) in self.when

    def grid(self):
        """Returns the ascending values of a list of numbers or of steps, None for any other.

        Drivers hand these to their library as the ints 0 to n-1. That keeps the order, and puts
        numbers that grow by a step or by a factor at even distances.
        """
        if self.kind == "discrete":
            return self.numbers
        if self.kind == "categorical" or self.step == 0 or (self.kind == "int" and self.step == 1):
            return None
        n = math.floor((self.max - self.min) / self.step * (1 + 1e-15)) + 1
        return tuple(self.min + i * self.step for i in range(n))

    def levels(self):
        """Returns all values of a parameter that may be a parent."""
        if self.kind == "categorical":
            return self.values
        return self.grid() or tuple(range(self.min, self.max + 1))

    def value(self, drawn):
        """Returns the value that a library's number or label stands for, within the range."""
        grid = self.grid()
        if grid:
            return grid[int(drawn)]
        if self.kind == "categorical":
            return str(drawn)
        value = int(drawn) if self.kind == "int" else float(drawn)
        return min(max(value, self.min), self.max)


class Stopwatch:
    """Sums the seconds spent in `with stopwatch:` blocks since it was last read."""

    def __init__(self):
        self.cpu = self.wall = 0.0

    def __enter__(self):
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __exit__(self, *_):
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall

    def read(self):
        seconds = {"cpu": self.cpu, "wall": self.wall}
        self.cpu = self.wall = 0.0
        return seconds


class Run:
    """What a driver makes of one start message. ask and tell time the library by self.stopwatch."""

    def __init__(self, start):
        self.stopwatch = Stopwatch()
        self.seed = start["seed"] % 2**32  # numpy takes no more
        self.budget = start["budget"]
        self.objectives = start.get("objectives", 1)
        self.constraints = start.get("constraints", 0)
        self.parallel = start.get("parallel", 1)
        self.epochs = start.get("epochs", 0)  # of a whole training; 0: trials have one loss each
        self.space = [
            Parameter(**{k: tuple(v) if isinstance(v, list) else v for k, v in p.items()})
            for p in start["space"]
        ]
        if any(p.log and p.step not in (0, 1) for p in self.space):
            raise Unsupported("the drivers put no steps on a log scale")

    def single_objective(self):
        """Raises Unsupported with several objectives, or with constraints."""
        if self.objectives > 1:
            raise Unsupported("it takes one objective")
        if self.constraints:
            raise Unsupported("it takes no constraints")

    def unconditional(self):
        """Raises Unsupported when a parameter depends on another."""
        if any(p.parent for p in self.space):
            raise Unsupported("it knows no conditional parameters")

    def ask(self, trial):
        """Returns the point of a new trial, a value for each active parameter."""
        raise NotImplementedError

    def trained(self):
        """Raises Unsupported unless trials are trained epoch by epoch."""
        if not self.epochs:
            raise Unsupported("it is for trials that are trained epoch by epoch")

    def report(self, trial, epoch, loss):
        """Takes the loss after an epoch, and returns whether the trial stops, also after the last one."""
        raise NotImplementedError

    def tell(self, trial, losses, constraints):
        """Takes the losses of an asked trial, None when it failed."""
        raise NotImplementedError


def serve(name, distributions, run):
    """Answers requests until standard input ends.

    name is the peer's, distributions the PyPI names of what it is made of, the library first, and
    run the class of its runs. What the library prints goes to standard error.
    """
    warnings.filterwarnings("ignore")
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    parts = {d: importlib.metadata.version(d) for d in distributions}
    server = _Server(name, parts, run)
    for line in sys.stdin:
        answers.write(json.dumps(server.answer(line)) + "\n")


class _Server:
    def __init__(self, name, parts, run):
        self.name, self.parts, self.new = name, parts, run
        self.run = None

    def answer(self, line):
        try:
            return self._answer(json.loads(line))
        except Unsupported as e:
            return {"unsupported": str(e)}
        except Exception as e:  # what the library raises is its answer
            self.run = None
            return {"error": " ".join(f"{type(e).__name__}: {e}".split())[:500]}

    def _answer(self, request):
        op = request["op"]
        if op == "hello":
            version = next(iter(self.parts.values()))
            return {"name": self.name, "version": version, "parts": self.parts}
        if op == "start":
            self.run = None
            self.run = self.new(request)
            return {"ok": True}
        if op == "end":
            self.run = None
            return {"ok": True}
        if self.run is None:
            raise ValueError(f"{op} outside a run")
        if op == "ask":
            return {"point": self.run.ask(request["id"]), **self.run.stopwatch.read()}
        if op == "report":
            stop = self.run.report(request["id"], request["epoch"], request["loss"])
            return {"stop": bool(stop), **self.run.stopwatch.read()}
        if op == "tell":
            self.run.tell(request["id"], request["losses"], request.get("constraints") or [])
            return {"ok": True, **self.run.stopwatch.read()}
        raise ValueError(f"unknown op {op!r}")
