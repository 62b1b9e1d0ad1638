"""Replays curves through Optuna's pruners: reads a list of cases as JSON, prints for each trial of each case after
how many reports it was pruned, or -1."""
import json
import sys
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def replay(case):
    pruner = getattr(optuna.pruners, case["rule"])(*case.get("wraps", []), **case["args"])
    study = optuna.create_study(pruner=pruner, direction=case["direction"])
    left = list(enumerate(case["curves"]))
    pruned = [-1] * len(left)
    running = []
    while left or running:
        while left and len(running) < case["width"]:
            number, curve = left.pop(0)
            running.append((number, study.ask(), curve, [0]))
        for entry in list(running):
            number, trial, curve, done = entry
            step, value = curve[done[0]]
            done[0] += 1
            trial.report(float(value), step)
            if trial.should_prune():
                pruned[number] = done[0]
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                running.remove(entry)
            elif done[0] == len(curve):
                state = optuna.trial.TrialState.FAIL if value == "nan" else None
                study.tell(trial, None if state else float(value), state=state)
                running.remove(entry)
    return pruned


json.dump([replay(case) for case in json.load(sys.stdin)], sys.stdout)
