"""tuned.py is one file, of the standard library alone, for Python 3.8 and later."""
import ast
import glob
import inspect
import os
import re
import shutil
import subprocess
import sys
import unittest

import rig
import tuned

SOURCE = os.path.join(rig.PYTHON, "tuned.py")
CALLBACKS = {"keras", "lightning", "pytorch_lightning", "transformers", "xgboost", "lightgbm"}


def interpreter(version):
    """The Python of a version that is at hand, or None."""
    paths = [sys.executable] if version == "%d.%d" % sys.version_info[:2] else []
    paths += glob.glob(os.path.expanduser("~/.pyenv/versions/%s.*/bin/python3" % version)) + [shutil.which("python" + version)]
    for path in filter(None, paths):
        if subprocess.run([path, "-V"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


class TestVersions(unittest.TestCase):
    """It can be imported and used under each interpreter, isolated and without installed packages."""

    def check(self, version):
        path = interpreter(version)
        if path is None:
            self.skipTest("Python %s is not installed" % version)
        script = """if True:
            import sys
            sys.path.insert(0, sys.argv[1])
            before = set(sys.modules)
            import tuned
            assert tuned.params(x=1) == {"x": 1}
            tuned.report(step=1, loss=0.5)
            assert tuned.float(0, 1).manifest["parameterType"] == "double"
            foreign = [n for n, m in list(sys.modules.items()) if n not in before and n != "tuned" and "site-packages" in (getattr(m, "__file__", None) or "")]
            assert not foreign, foreign
        """
        done = subprocess.run([path, "-I", "-S", "-W", "error", "-B", "-c", script, rig.PYTHON], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True,
                              env={k: v for k, v in os.environ.items() if not k.startswith("TUNED_")})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "step=1 loss=0.5\n", ""))

    def test_3_8(self):
        self.check("3.8")

    def test_3_9(self):
        self.check("3.9")

    def test_3_10(self):
        self.check("3.10")

    def test_3_11(self):
        self.check("3.11")

    def test_3_12(self):
        self.check("3.12")

    def test_3_13(self):
        self.check("3.13")


class TestSource(unittest.TestCase):
    def test_grammar(self):
        """It is written in the grammar of 3.8 and imports no more than the standard library, but for the callbacks."""
        with open(SOURCE, encoding="utf-8") as file:
            text = file.read()
        tree = ast.parse(text, feature_version=(3, 8))
        imported = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.split(".")[0])
        named = {module.split(".")[0] for modules, *_ in tuned._CALLBACKS.values() for module in modules}
        if hasattr(sys, "stdlib_module_names"):
            self.assertEqual((imported | named) - set(sys.stdlib_module_names), CALLBACKS)
        self.assertFalse(re.search(r"\b(removeprefix|removesuffix|math\.lcm|zoneinfo|tomllib|functools\.cache\b)", text))

    def test_callbacks_are_short(self):
        lengths = {name: len(inspect.getsource(act).splitlines()) for name, (*_, act) in tuned._CALLBACKS.items()}
        self.assertEqual(len(lengths), 5)
        self.assertLessEqual(max(lengths.values()), 15, lengths)

    def test_lines(self):
        """No line is wider than 110 columns."""
        with open(SOURCE, encoding="utf-8") as file:
            self.assertEqual([line for line in file if len(line.rstrip("\n")) > 110], [])


if __name__ == "__main__":
    unittest.main()
