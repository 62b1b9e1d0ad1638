"""Minimises a parabola and prints the way that common training libraries do.

It stands in for them where they are not installed: what matters here is the form of the lines.
"""
import argparse
import json
import sys

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("style", choices=["keras", "lightning", "trainer", "json", "plain"])
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()


def keras(epoch, loss):
    print(f"Epoch {epoch}/{args.epochs}")
    for step in (1, 2, 3):
        end = "\n" if step == 3 else "\r"
        tail = f" - val_loss: {loss:.4f}" if step == 3 else ""
        print(f"{step}/3 [{'=' * (10 * step):30}] - 0s 3ms/step - loss: {loss + 0.1:.4f}{tail}", end=end)


def lightning(epoch, loss):
    for done in (20, 40):
        bar = "█" * (done // 4)
        sys.stderr.write(f"\rEpoch {epoch - 1}: {done * 100 // 40:3}%|{bar:10}| {done}/40 [00:01<00:00, 39.2it/s, v_num=0")
        sys.stderr.write(f", val_loss={loss:.3f}]" if done == 40 else "]")
    sys.stderr.write("\n")


def trainer(epoch, loss):
    print({"loss": loss + 0.1, "learning_rate": args.lr, "epoch": float(epoch)})
    print({"val_loss": loss, "eval_runtime": 0.1, "epoch": float(epoch)})


def json_lines(epoch, loss):
    print(json.dumps({"epoch": epoch, "val_loss": loss}))


def plain(epoch, loss):
    print(f"epoch {epoch}: val_loss={loss:.4f}")


report = {"keras": keras, "lightning": lightning, "trainer": trainer, "json": json_lines, "plain": plain}[args.style]
x = 2.0
for epoch in range(1, args.epochs + 1):
    x -= args.lr * 2 * x  # the gradient of x squared
    report(epoch, x * x)
