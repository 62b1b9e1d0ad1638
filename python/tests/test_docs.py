"""The snippets of the documentation are run as they stand, against a real daemon."""
import os
import re
import unittest
import unittest.mock

import rig
import tuned

ROOT = os.path.dirname(rig.PYTHON)

# What the snippet for scikit-learn leaves to the reader.
SKLEARN = """
class make_model:
    def __init__(self, alpha):
        self.calls = 0
    def partial_fit(self, x, y):
        self.calls += 1
    def score(self, x, y):
        return self.calls / 10
x_train = y_train = x_test = y_test = []
"""


def snippets(name):
    """The Python snippets of a document, by the heading or the line that they are under."""
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return re.findall(r"```python\n(.*?)```", file.read(), re.S)


class TestDocs(rig.DaemonTest):
    def run_in_notebook(self, cells):
        """Runs cells one after the other, in one namespace, against the daemon."""
        space = {}
        with unittest.mock.patch.dict(os.environ, TUNED_SERVER=self.daemon.server), unittest.mock.patch("builtins.print"):
            for cell in cells:
                exec(compile(cell, "cell", "exec"), space)
        return space

    def run_in_trial(self, code, name, metric, params):
        trial = self.study(name, objective=(metric, "minimize")).ask()
        code, out, err = rig.run(code, dict(self.daemon.env(trial), TUNED_PARAMS=params))
        self.assertEqual((code, out, err), (0, "", ""))
        return self.measurements(trial)

    def test_guide(self):
        inside, create, by_hand, curve, several, sklearn = snippets("docs/python.md")
        found = self.run_in_trial(inside, "inside", "val_loss", '{"lr": 0.5}')
        self.assertEqual([float(m[2]) for m in found], [0.5, 0.25, 0.125, 0.0625, 0.03125])
        found = self.run_in_notebook([create, by_hand, curve, several])
        study, both = found["study"], found["both"]
        self.assertEqual(len(both.trials()), 12)
        self.assertTrue(both.front and all(trial.feasible and trial["layers"] < 4 for trial in both.front))
        self.assertEqual(len(study.trials()), 16)
        self.assertEqual(set(study.importance()), {"x", "lr", "layers", "optimizer", "momentum"})
        found = self.run_in_trial(SKLEARN + sklearn, "sklearn", "accuracy", '{"alpha": 0.5}')
        self.assertEqual(found, [(i, "accuracy", repr(i / 10)) for i in (1, 2, 3)])

    def test_readme(self):
        inside, notebook = snippets("python/README.md")
        self.assertEqual(self.run_in_trial(inside, "readme", "val_loss", "{}"), [(1, "val_loss", "0.3")])
        self.assertEqual(len(self.run_in_notebook([notebook])["study"].trials()), 5)

    def test_module(self):
        """The first lines of the file say what it has."""
        for name in re.findall(r"tuned\.(\w+)\(", tuned.__doc__):
            self.assertTrue(callable(getattr(tuned, name)), name)


if __name__ == "__main__":
    unittest.main()
