"""Trains a small PyTorch network to tell two spirals apart; the points are made here."""
import argparse
import math

import torch
from torch import nn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lr", type=float, default=0.01)
parser.add_argument("--hidden", type=int, default=32)
parser.add_argument("--activation", choices=["relu", "tanh"], default="tanh")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

torch.set_num_threads(1)
torch.manual_seed(args.seed)


def spirals(count):
    """count points on each of two spirals, with noise, and the spiral each belongs to."""
    turn = torch.rand(count, 1).sqrt() * 3 * math.pi
    arm = torch.cat([-turn.cos() * turn, turn.sin() * turn], 1) / 10 + 0.03 * torch.randn(count, 2)
    return torch.cat([arm, -arm]), torch.cat([torch.zeros(count), torch.ones(count)])


x_train, y_train = spirals(500)
x_val, y_val = spirals(200)
activation = {"relu": nn.ReLU, "tanh": nn.Tanh}[args.activation]
model = nn.Sequential(
    nn.Linear(2, args.hidden), activation(), nn.Linear(args.hidden, args.hidden), activation(), nn.Linear(args.hidden, 1)
)
loss_of = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

for epoch in range(1, args.epochs + 1):
    for batch in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = loss_of(model(x_train[batch]).squeeze(1), y_train[batch])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model(x_val).squeeze(1)
        val_loss = loss_of(scores, y_val).item()
        val_accuracy = ((scores > 0) == (y_val > 0)).float().mean().item()
    print(f"Epoch {epoch}/{args.epochs} - loss: {loss.item():.4f} - val_loss: {val_loss:.4f} - val_accuracy: {val_accuracy:.4f}", flush=True)
