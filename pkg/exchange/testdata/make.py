"""make FILE FORMAT: lets Optuna write studies to a journal or a SQLite file."""

import sys

import optuna
import sqlalchemy
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.CRITICAL)
if sys.argv[2] == "optuna-sqlite":
    storage = optuna.storages.RDBStorage("sqlite:///" + sys.argv[1])
    sqlalchemy.event.listen(storage.engine, "connect", lambda c, _: c.execute("PRAGMA synchronous=OFF"))
    storage.engine.dispose()  # so that all connections are new
else:
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

long = optuna.create_study(study_name="long", storage=storage)
space = {
    "x": optuna.distributions.FloatDistribution(0, 1),
    "y": optuna.distributions.CategoricalDistribution(["short", 9000 * "y"]),
}
if sys.argv[2] == "optuna-sqlite":  # a journal has no pages
    for i in range(60):
        values = {"x": i / 2048, "y": space["y"].choices[i % 2]}
        long.add_trial(optuna.create_trial(params=values, distributions=space, value=i))

sampler = optuna.samplers.RandomSampler(seed=1)  # its values are low + k * step
tenths = optuna.create_study(study_name="tenths", storage=storage, sampler=sampler)
tenths.optimize(lambda t: t.suggest_float("x", 0, 1, step=0.1), n_trials=30)

gone = optuna.create_study(study_name="gone", storage=storage)
optuna.delete_study(study_name="gone", storage=storage)
