"""Trains a linear classifier on made-up points by stochastic gradient descent, and goes on from a checkpoint.

--until is how many epochs to train in all, with those of the checkpoint; --epochs is how many more to train.
"""
import argparse
import json
import math
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--until", type=int)
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--checkpoint", default=os.environ.get("TUNED_CHECKPOINT_DIR", "."))
args = parser.parse_args()
path = os.path.join(args.checkpoint, "model.json")

points = random.Random(1)
truth = [points.gauss(0, 1) for _ in range(20)]


def sample():
    x = [points.gauss(0, 1) for _ in truth]
    return x, float(sum(t * v for t, v in zip(truth, x)) + points.gauss(0, 1) > 0)


training, validation = [sample() for _ in range(400)], [sample() for _ in range(400)]


def probability(weights, x):
    z = sum(w * v for w, v in zip(weights, x))
    return 1 / (1 + math.exp(-max(-30.0, min(z, 30.0))))


state = {"weights": [0.0] * len(truth), "epoch": 0}
if os.path.exists(path):
    with open(path) as file:
        state = json.load(file)
found = state["epoch"]

until = args.until or found + args.epochs
while state["epoch"] < until:
    order = random.Random(state["epoch"])
    for x, y in order.sample(training, len(training)):
        step = args.lr * (y - probability(state["weights"], x))
        state["weights"] = [w + step * v for w, v in zip(state["weights"], x)]
    state["epoch"] += 1
    with open(path + ".new", "w") as file:
        json.dump(state, file)
    os.replace(path + ".new", path)  # a checkpoint is whole, whatever ends the program

losses = [-math.log(max(1e-9, p if y else 1 - p)) for p, y in ((probability(state["weights"], x), y) for x, y in validation)]
print("found=%d trained=%d val_loss=%.6f" % (found, state["epoch"] - found, sum(losses) / len(losses)))
