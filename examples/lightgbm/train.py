"""Trains gradient-boosted trees on points that are made here; LightGBM prints the metric itself."""
import argparse

import lightgbm
import numpy as np

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--learning-rate", type=float, default=0.1)
parser.add_argument("--num-leaves", type=int, default=31)
parser.add_argument("--rounds", type=int, default=50)
args = parser.parse_args()

random = np.random.default_rng(0)
x = random.normal(size=(2000, 8))
y = (x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.3 * random.normal(size=2000) > 0).astype(int)

train = lightgbm.Dataset(x[:1400], y[:1400])
lightgbm.train(
    {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": args.learning_rate,
        "num_leaves": args.num_leaves,
        "num_threads": 1,
        "verbosity": -1,
        "seed": 0,
    },
    train,
    num_boost_round=args.rounds,
    valid_sets=[lightgbm.Dataset(x[1400:], y[1400:], reference=train)],
    callbacks=[lightgbm.log_evaluation(period=10)],
)
