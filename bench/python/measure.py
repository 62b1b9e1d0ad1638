"""What python/tuned.py costs a training program, against a real daemon.

    go build -o bin/ ./cmd/tuned ./cmd/trial-agent && python3 bench/python/measure.py [--pairs 5] [--seconds 10]

Two figures are printed: the time of one report(), as percentiles, and the run time of a program that
reports while the daemon is killed under it, divided by that of the same program without the client. Both
programs of a pair do the same work at the same time, so that other load meets both; the median counts.
"""
import argparse
import os
import statistics
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "python", "tests"))
os.environ.setdefault("TUNED_BIN", os.path.join(ROOT, "bin"))

import rig  # noqa: E402
import tuned  # noqa: E402

CALLS = """
import sys, time, tuned
metrics = {"m%d" % i: 0.1 * i for i in range(int(sys.argv[1]))}
took = []
for step in range(1, 3001):
    begin = time.perf_counter_ns()
    tuned.report(metrics, step=step)
    took.append(time.perf_counter_ns() - begin)
    time.sleep(0.0005)
print(*took)
"""

# The work of an epoch is a fixed number of additions, of about a hundredth of the seconds asked for.
TRAIN = """
import sys
with_client, additions = sys.argv[1] == "with", int(sys.argv[2])
if with_client:
    import tuned
loss = 0.0
for epoch in range(1, 101):
    for i in range(additions):
        loss += i
    if with_client:
        tuned.report(step=epoch, loss=loss)
        tuned.should_stop()
    if epoch == 30:
        print("third", flush=True)
"""


def additions_per_second():
    begin, total = time.perf_counter(), 0.0
    for i in range(2000000):
        total += i
    return 2000000 / (time.perf_counter() - begin)


def ended(process, begin):
    """Waits for a program; returns its run time, its CPU time and its exit code."""
    _, status, used = os.wait4(process.pid, 0)
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime, status


def pair(daemon, name, additions):
    """Runs both programs side by side, so that other load meets both, and kills the daemon under them."""
    trial = tuned.study(name, space={"x": tuned.float(0, 1)}, objective=("loss", "minimize"), algorithm="random", server=daemon.server).ask()
    begin, results = time.perf_counter(), {}
    processes = {kind: rig.begin(TRAIN, daemon.env(trial), kind, str(additions)) for kind in ("with", "without")}
    waiting = [threading.Thread(target=lambda k=k, p=p: results.update({k: ended(p, begin)})) for k, p in processes.items()]
    for thread in waiting:
        thread.start()
    processes["with"].stdout.readline()
    daemon.kill()
    for thread in waiting:
        thread.join()
    daemon.start()
    return results["with"], results["without"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    daemon = rig.Daemon()
    try:
        print("Python %s, %d CPUs" % (sys.version.split()[0], os.cpu_count()))
        for count in (1, 10):
            study = tuned.study("calls-%d" % count, space={"x": tuned.float(0, 1)}, objective=("m0", "minimize"), algorithm="random", server=daemon.server)
            _, out, _ = rig.run(CALLS, daemon.env(study.ask()), str(count))
            took = sorted(int(word) / 1e6 for word in out.split())
            print("report() of %2d metrics: p50 %.4f ms, p99 %.4f ms, most %.3f ms, %d calls" % (
                count, took[len(took) // 2], took[len(took) * 99 // 100], took[-1], len(took)))
        ratios, bad = [], 0
        additions = int(additions_per_second() * options.seconds / 100)
        for i in range(options.pairs):
            client, bare = pair(daemon, "pair-%d" % i, additions)
            ratios.append((client[0] / bare[0], client[1] / bare[1]))
            bad += client[2] != 0
            print("daemon killed at 30 %%: with %.2f s (CPU %.2f s), without %.2f s (CPU %.2f s), exit code %d" % (client[:2] + bare[:2] + client[2:]), flush=True)
        for what, values in zip(("run", "CPU"), zip(*ratios)):
            print("%s time with / without: median %.3f of %d pairs, %.3f to %.3f" % (what, statistics.median(values), len(values), min(values), max(values)))
        print("exit codes other than 0: %d" % bad)
    finally:
        daemon.close()


if __name__ == "__main__":
    main()
