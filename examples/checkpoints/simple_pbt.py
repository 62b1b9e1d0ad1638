"""Stands in for the program in the image of Katib's simple-pbt example: a toy whose accuracy, in percent, grows the
faster the nearer the learning rate is to one that rises with it up to the middle, and falls then."""
import argparse
import json
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--checkpoint", required=True)
args = parser.parse_args()
path = os.path.join(args.checkpoint, "training.json")

state = {"accuracy": 0.0, "lineage": []}
if os.path.exists(path):
    with open(path) as file:
        state = json.load(file)

accuracy = state["accuracy"]
for _ in range(args.epochs):
    best = max(0.001, 0.01 * (1 - abs(accuracy - 50) / 50))
    wrong = max(args.lr, best) / min(args.lr, best)
    if wrong < 3:
        accuracy += random.random() / wrong
    elif args.lr > best:
        accuracy -= (wrong - 3) * random.random()
    accuracy = max(0.0, min(accuracy + random.gauss(0, 2), 100.0))

state = {"accuracy": accuracy, "lineage": state["lineage"] + [os.environ["TUNED_TRIAL"]]}
with open(path + ".new", "w") as file:
    json.dump(state, file)
os.replace(path + ".new", path)
print("Validation-accuracy=%.6f" % (accuracy / 100))
