"""What python/tuned.py costs a training program, against a real daemon.

    make bench-python [BENCHFLAGS='--rounds 10 --seconds 10']

First the time of one report(), as percentiles: of points that a thread sends, and of those that go to the
file of the trial's agent. Then the run time, and the CPU time, of a program of fixed work in three ways:
"bare" without the client, "alive" with it, and "killed" with it while the daemon is killed after a third.

Other load makes times longer, and never shorter. So the ways take turns, in an order that is turned round
each time, and each is divided by the bare run of its own round. The median of these ratios counts, with
an interval that holds the true one with the probability printed, whatever the distribution is.
"""
import argparse
import math
import os
import statistics
import sys
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
with_client, additions = sys.argv[1] != "bare", int(sys.argv[2])
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
    begin, total = time.process_time(), 0.0
    for i in range(2000000):
        total += i
    return 2000000 / (time.process_time() - begin)


def interval(values):
    """The narrowest interval between two values that has the true median with 95 % or more: ends, and how sure.

    Of n values each is below the median with probability 1/2, so the count of these is binomial."""
    values, n = sorted(values), len(values)
    outside, k = 2 * 0.5**n, 0
    while k < n // 2 - 1 and outside + 2 * math.comb(n, k + 1) * 0.5**n <= 0.05:
        k += 1
        outside += 2 * math.comb(n, k) * 0.5**n
    return values[k], values[n - 1 - k], 1 - outside


def show(what, values, unit=""):
    low, high, probability = interval(values)
    print("%s: median %.4f%s, %.1f %% interval %.4f to %.4f, of %d" % (
        what, statistics.median(values), unit, 100 * probability, low, high, len(values)), flush=True)


def fresh_trial(daemon, name):
    space = {"x": tuned.float(0, 1)}
    return tuned.study(name, space, ("loss", "minimize"), "random", server=daemon.server).ask()


def calls(daemon, rounds):
    """Prints what one report() takes."""
    for way in ("sent", "file"):
        for count in (1, 10):
            halves, most = [], []
            for i in range(rounds):
                env = daemon.env(fresh_trial(daemon, "calls-%s-%d-%d" % (way, count, i)))
                if way == "file":
                    env["TUNED_REPORT_FILE"] = os.path.join(daemon.dir, "reports")
                    open(env["TUNED_REPORT_FILE"], "w").close()
                _, out, _ = rig.run(CALLS, env, str(count))
                took = sorted(int(word) / 1e6 for word in out.split())
                halves.append(took[len(took) // 2])
                most.append(took[len(took) * 99 // 100])
            show("report() of %2d metrics, %s, p50" % (count, way), halves, " ms")
            show("report() of %2d metrics, %s, p99" % (count, way), most, " ms")


def train(daemon, way, name, additions):
    """Runs the program in one way; returns its run time and CPU time in seconds, and its exit status."""
    env = daemon.env(fresh_trial(daemon, name))
    begin = time.perf_counter()
    process = rig.begin(TRAIN, env, way, str(additions))
    process.stdout.readline()
    if way == "killed":
        daemon.kill()
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - begin
    process.returncode = status
    for stream in (process.stdin, process.stdout, process.stderr):
        stream.close()
    if way == "killed":
        daemon.start()
    return took, used.ru_utime + used.ru_stime, status


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    daemon = rig.Daemon()
    try:
        print("Python %s, %d CPUs, load %.1f" % (sys.version.split()[0], os.cpu_count(), os.getloadavg()[0]))
        calls(daemon, options.rounds)
        additions = int(additions_per_second() * options.seconds / 100)
        ratios, bad = {}, 0
        for i in range(options.rounds):
            ways = ["bare", "alive", "killed"]
            found = {}
            for way in ways if i % 2 else ways[::-1]:
                found[way] = train(daemon, way, "%s-%d" % (way, i), additions)
            bad += sum(status != 0 for _, _, status in found.values())
            shown = ["%s %.2f s (CPU %.2f s)" % ((way,) + found[way][:2]) for way in ways]
            print("round %d: %s" % (i + 1, ", ".join(shown)), flush=True)
            for way, base in (("alive", "bare"), ("killed", "bare"), ("killed", "alive")):
                for j, what in enumerate(("run", "CPU")):
                    name = "%s time %s / %s" % (what, way, base)
                    ratios.setdefault(name, []).append(found[way][j] / found[base][j])
        for what, values in ratios.items():
            show(what, values)
        print("exit codes other than 0: %d of %d" % (bad, 3 * options.rounds))
    finally:
        daemon.close()


if __name__ == "__main__":
    main()
