"""A real daemon for the tests: $TUNED_BIN is the folder with tuned and trial-agent."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PYTHON = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, PYTHON)

import tuned  # noqa: E402


class Daemon:
    """`tuned serve` in a folder of its own, which may be killed and started anew."""

    def __init__(self, listen="none"):
        self.dir = tempfile.mkdtemp(prefix="tuned-py-")
        self.data = os.path.join(self.dir, "d")
        self.socket = os.path.join(self.data, "tuned.sock")
        self.server, self.listen = "unix:" + self.socket, listen
        self.start()

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(os.environ["TUNED_BIN"], "tuned"), "serve", "--data-dir", self.data, "--listen", self.listen, "--cpus", "4"],
                stdout=log, stderr=log, env=dict(os.environ, PYTHONPATH=PYTHON))
        tuned.Client(self.server).call("GET", "/api/v1/version", wait=30)

    def kill(self):
        """Ends the daemon as a power failure does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def env(self, trial, **more):
        """The environment of a process that evaluates a trial."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TUNED_")}
        return dict(clean, PYTHONPATH=PYTHON, TUNED_SERVER=self.server, TUNED_EXPERIMENT="default/" + trial._study.name,
                    TUNED_TRIAL=trial.name, **more)


class DaemonTest(unittest.TestCase):
    """Tests that share a daemon."""

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.close)

    def study(self, name, **more):
        given = dict(space={"x": tuned.float(0, 1)}, objective=("loss", "minimize"), algorithm="random", server=self.daemon.server)
        return tuned.study(name, **dict(given, **more))

    def measurements(self, trial):
        """What is stored of a trial, as (step, metric, text), in the order of the daemon."""
        found, token = [], ""
        while True:
            path = trial._study._path("trials", trial.name, "measurements") + "?pageSize=10000&pageToken=" + token
            page = trial._study._client.call("GET", path)
            found += [(int(m["step"]), m["metric"], m["text"]) for m in page["measurements"]]
            token = page["nextPageToken"]
            if not token:
                return found

    def until(self, condition):
        """Waits for what another process does."""
        for _ in range(3000):
            found = condition()
            if found:
                return found
            time.sleep(0.01)
        self.fail("it never came: %s" % condition)


def run(code, env, *arguments, **options):
    """Runs code in a process of its own; returns exit code, standard output and error."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=120, **options)
    return done.returncode, done.stdout, done.stderr


def begin(code, env, *arguments):
    """Starts code in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, universal_newlines=True)


class LossyProxy:
    """Stands between client and daemon, and loses every second answer after the daemon has acted."""

    def __init__(self, target, path):
        self.target, self.server, self.count, self.lost = target, "unix:" + path, 0, 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rb") as requests:
            while True:
                request = self._message(requests)
                if not request:
                    return
                with socket.socket(socket.AF_UNIX) as daemon:
                    daemon.connect(self.target)
                    daemon.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
                    answer = b"".join(iter(lambda: daemon.recv(65536), b""))
                self.count += 1
                if self.count % 2:
                    self.lost += 1
                    return
                conn.sendall(answer)
                return  # the daemon said that it closes

    @staticmethod
    def _message(file):
        head, length = b"", 0
        for line in iter(file.readline, b""):
            head += line
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            if line == b"\r\n":
                return head + file.read(length)
        return b""

    def close(self):
        self._listener.close()


class Impostor:
    """Listens where a daemon should, and has its own idea of what to answer: bytes, or None for nothing at all."""

    def __init__(self, path, answer):
        self.server, self.requests = "unix:" + path, []
        self._answer = answer if callable(answer) else lambda request: answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        held = []
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            with conn.makefile("rb") as file:
                request = LossyProxy._message(file)
            self.requests.append(request)
            answer = self._answer(request)
            if answer is None:
                held.append(conn)
            else:
                try:
                    conn.sendall(answer)
                except OSError:
                    pass  # who asked has gone
                conn.close()

    def close(self):
        self._listener.close()


def answer(status, body):
    """An answer of HTTP."""
    return b"HTTP/1.1 %d No Reason\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


def manifest(name, command, **spec):
    """An experiment that the daemon runs itself, as text for `tuned submit`."""
    wanted = {"objective": {"type": "minimize", "objectiveMetricName": "loss"}, "algorithm": {"algorithmName": "random"},
              "maxTrialCount": 2, "parallelTrialCount": 2,
              "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
                             {"name": "units", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "8"}},
                             {"name": "kind", "parameterType": "categorical", "feasibleSpace": {"list": ["a", "b"]}}]}
    wanted.update(spec)
    body = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": name}, "spec": wanted}
    return {"manifest": json.dumps(body), "local": {"dir": PYTHON, "command": [sys.executable, "-c", command]}}
