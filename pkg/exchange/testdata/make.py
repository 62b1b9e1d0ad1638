"""make FILE: lets Optuna write a journal with two studies."""

import sys

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.CRITICAL)
storage = JournalStorage(JournalFileBackend(sys.argv[1]))

study = optuna.create_study(study_name="grown", storage=storage, direction="maximize")
study._storage.set_study_system_attr(study._study_id, "study:metric_names", ["acc"])


def ask(kind, batch=32, high=10):
    study.enqueue_trial({"kind": kind, "batch": batch})
    t = study.ask()
    t.suggest_float("lr", 1e-5, 1e-1, log=True)
    t.suggest_categorical("batch", [16, 32, 64])
    t.suggest_int("width", 1, high)
    t.suggest_int("depth", 2, 8, step=2)
    t.suggest_int("fixed", 3, 3)
    t.suggest_categorical("flag", [True, False, None, "1"])
    if t.suggest_categorical("kind", ["a", "ü"]) == "ü":
        t.suggest_float("momentum", 0, 1)
    return t


study.tell(ask("a"), 0.5)
study.tell(ask("ü", high=100), 0.75)
pruned = ask("a")
pruned.report(0.9, 1)
pruned.report(float("nan"), 2)
study.tell(pruned, state=optuna.trial.TrialState.PRUNED)
study.tell(ask("ü"), state=optuna.trial.TrialState.FAIL)
half = study.ask()
half.suggest_float("lr", 1e-5, 1e-1, log=True)
study.tell(half, state=optuna.trial.TrialState.FAIL)
ask("a")  # runs still
study.tell(ask("a"), float("inf"))

two = optuna.create_study(study_name="two", storage=storage, directions=["minimize", "maximize"])
for values, excess in [((0.0, 9.0), 0.5), ((1.0, 2.0), -1.0), ((2.0, 3.0), 0.0)]:
    t = two.ask({"x": optuna.distributions.FloatDistribution(0, 1, step=0.25)})
    two._storage.set_trial_system_attr(t._trial_id, "constraints", [excess])
    two.tell(t, values)

gone = optuna.create_study(study_name="gone", storage=storage)
optuna.delete_study(study_name="gone", storage=storage)
