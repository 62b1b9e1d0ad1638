"""Trains a linear classifier on scikit-learn's breast cancer data, epoch by epoch."""
import argparse
import json

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--alpha", type=float, default=1e-4, help="factor of the penalty")
parser.add_argument("--penalty", choices=["l1", "l2", "elasticnet"], default="l2")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--json", action="store_true", help="print JSON lines")
args = parser.parse_args()

x, y = load_breast_cancer(return_X_y=True)
x_train, x_val, y_train, y_val = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
scaler = StandardScaler().fit(x_train)
x_train, x_val = scaler.transform(x_train), scaler.transform(x_val)

model = SGDClassifier(
    loss="log_loss",
    penalty=args.penalty,
    alpha=args.alpha,
    learning_rate="constant",
    eta0=args.learning_rate,
    random_state=0,
)
for epoch in range(1, args.epochs + 1):
    model.partial_fit(x_train, y_train, classes=np.unique(y))
    val_loss = log_loss(y_val, model.predict_proba(x_val))
    val_accuracy = model.score(x_val, y_val)
    if args.json:
        print(json.dumps({"epoch": epoch, "val_loss": val_loss, "val_accuracy": val_accuracy}), flush=True)
    else:
        print(f"epoch {epoch}\nval_loss = {val_loss:.4f}\nval_accuracy = {val_accuracy:.4f}", flush=True)
