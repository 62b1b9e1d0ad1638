"""`pip install` of the folder gives a module that can be imported."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import rig
import tuned


class TestPackage(unittest.TestCase):
    def test_install(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = os.path.join(folder, "source"), os.path.join(folder, "target")
            os.mkdir(source)
            for name in ("tuned.py", "pyproject.toml", "README.md"):
                shutil.copy(os.path.join(rig.PYTHON, name), source)
            subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps",
                            "--disable-pip-version-check", "--target", target, source], check=True)
            show = "import sys; sys.path.insert(0, sys.argv[1]); import tuned; print(tuned.__file__)"
            out = subprocess.run([sys.executable, "-I", "-c", show, target], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout
            self.assertEqual(out, os.path.join(target, "tuned.py") + "\n")
            self.assertTrue(os.path.isdir(os.path.join(target, "tuned_hpo-%s.dist-info" % tuned.__version__)), os.listdir(target))


if __name__ == "__main__":
    unittest.main()
