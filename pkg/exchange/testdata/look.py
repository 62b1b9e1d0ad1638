"""look FILE: opens the journal of a study with Optuna and prints as JSON what it sees."""

import datetime
import json
import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)


def time(moment):
    return moment.astimezone(datetime.timezone.utc).isoformat() if moment else ""


study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(sys.argv[1])))
trials = [
    {
        "State": t.state.name,
        "Values": t.values,
        "Params": t.params,
        "Distributions": {name: str(d) for name, d in t.distributions.items()},
        "Intermediate": {step: repr(v) for step, v in t.intermediate_values.items()},
        "Attrs": t.user_attrs,
        "Start": time(t.datetime_start),
        "End": time(t.datetime_complete),
    }
    for t in study.trials
]
for t in study.trials:
    for name, value in t.params.items():
        d = t.distributions[name]
        assert d._contains(d.to_internal_repr(value)), (t.number, name, value)
    if t.state.is_finished():
        t._validate()
one = len(study.directions) == 1
best = [study.best_trial] if one else study.best_trials
study.enqueue_trial(study.trials[0].params)  # it can be gone on with
print(
    json.dumps(
        {
            "Name": study.study_name,
            "Directions": [d.name for d in study.directions],
            "Metrics": study.metric_names,
            "Trials": trials,
            "Best": [t.number for t in best],
        }
    )
)
