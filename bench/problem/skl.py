"""Evaluates scikit-learn models by cross-validation, for the bench.

Reads one JSON object per line and answers each with one line:

    > {"model":"knn","data":"iris","params":{"n_neighbors":5,"p":2}}
    < {"loss":0.31}                                                or {"error":"..."}

The loss is the mean over three folds of the logarithmic loss of a classifier, or of the squared
error of a regressor as a share of the variance. Everything random has the same seed each time.
"""

import os

for _name in ("OMP", "OPENBLAS", "MKL"):
    os.environ[_name + "_NUM_THREADS"] = "1"  # read when numpy is imported

import functools  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import warnings  # noqa: E402

import numpy  # noqa: E402
from sklearn import (  # noqa: E402
    calibration,
    datasets,
    ensemble,
    linear_model,
    metrics,
    model_selection,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)

warnings.simplefilter("ignore")  # of fits that did not converge: they have their loss

ROWS = 300  # of a data set are used at most


@functools.cache
def folds(name):
    """Returns (x, y, x_test, y_test) of each fold, features standardized by the training part."""
    x, y = getattr(datasets, "load_" + name)(return_X_y=True)
    order = numpy.random.RandomState(0).permutation(len(x))[:ROWS]
    x, y = x[order], y[order]
    if name == "diabetes":
        y = (y - y.mean()) / y.std()
        splitter = model_selection.KFold(3)
    else:
        splitter = model_selection.StratifiedKFold(3)
    out = []
    for train, test in splitter.split(x, y):
        scaler = preprocessing.StandardScaler().fit(x[train])
        out.append((scaler.transform(x[train]), y[train], scaler.transform(x[test]), y[test]))
    return out


def network(p, **fixed):
    p = dict(p, hidden_layer_sizes=(p["hidden_layer_sizes"],))
    if "one_minus_beta_1" in p:
        p["beta_1"] = 1 - p.pop("one_minus_beta_1")
        p["beta_2"] = 1 - p.pop("one_minus_beta_2")
    return dict(p, early_stopping=True, max_iter=50, random_state=0, **fixed)


def machine(p, regression):
    if regression:
        return svm.SVR(**p)
    return calibration.CalibratedClassifierCV(svm.SVC(random_state=0, **p), cv=3, ensemble=False)


def linear(p, regression, l1):
    strength = p["c"]
    rest = {"fit_intercept": p["fit_intercept"] == "yes", "tol": p["tol"]}
    if not regression:
        penalty = {"l1_ratio": 1.0, "solver": "saga"} if l1 else {"l1_ratio": 0.0, "solver": "lbfgs"}
        return linear_model.LogisticRegression(C=strength, max_iter=100, random_state=0, **penalty, **rest)
    if l1:
        return linear_model.Lasso(alpha=0.1 / strength, random_state=0, **rest)
    return linear_model.Ridge(alpha=1 / strength, random_state=0, **rest)


def build(model, p, regression):
    """Makes an estimator of Bayesmark's models."""
    pick = lambda classifier, regressor: regressor if regression else classifier  # noqa: E731
    if model == "knn":
        return pick(neighbors.KNeighborsClassifier, neighbors.KNeighborsRegressor)(**p)
    if model == "svm":
        return machine(p, regression)
    if model == "tree":
        return pick(tree.DecisionTreeClassifier, tree.DecisionTreeRegressor)(random_state=0, **p)
    if model == "forest":
        return pick(ensemble.RandomForestClassifier, ensemble.RandomForestRegressor)(
            n_estimators=10, random_state=0, **p)
    if model == "ada":
        return pick(ensemble.AdaBoostClassifier, ensemble.AdaBoostRegressor)(random_state=0, **p)
    if model in ("lasso", "linear"):
        return linear(p, regression, model == "lasso")
    multilayer = pick(neural_network.MLPClassifier, neural_network.MLPRegressor)
    if model == "mlp-adam":
        return multilayer(**network(p, solver="adam"))
    if model == "mlp-sgd":
        return multilayer(**network(p, solver="sgd", learning_rate="invscaling"))
    raise ValueError("no model " + model)


def evaluate(request):
    name = request["data"]
    regression = name == "diabetes"
    losses = []
    for x, y, x_test, y_test in folds(name):
        p = dict(request["params"])
        if "batch_size" in p:
            p["batch_size"] = min(p["batch_size"], len(x))
        estimator = build(request["model"], p, regression).fit(x, y)
        if regression:
            losses.append(metrics.mean_squared_error(y_test, estimator.predict(x_test)))
        else:
            losses.append(metrics.log_loss(y_test, estimator.predict_proba(x_test), labels=numpy.unique(y)))
    return float(numpy.mean(losses))


def main():
    for line in sys.stdin:
        try:
            loss = evaluate(json.loads(line))
            answer = {"loss": loss} if numpy.isfinite(loss) else {"error": "loss is %r" % loss}
        except (ValueError, FloatingPointError, numpy.linalg.LinAlgError) as e:
            answer = {"error": str(e)}
        print(json.dumps(answer), flush=True)


main()
