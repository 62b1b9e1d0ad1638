# SPDX-License-Identifier: Apache-2.0
"""Client of tuned, a hyperparameter-tuning engine: one file, standard library only, Python 3.8 or later.

Inside a trial:

    p = tuned.params(lr=0.1)                # the trial's parameters; the defaults given when run by hand
    tuned.report(step=1, val_loss=0.3)      # returns at once, never raises
    if tuned.should_stop(): ...

From a notebook or a loop of your own:

    s = tuned.study("mnist", space={"lr": tuned.float(1e-4, 1, log=True)}, objective=("val_loss", "minimize"))
    s.optimize(lambda trial: train(**trial.params), n_trials=30)
    s.best
"""
import atexit
import calendar
import collections
import hashlib
import html
import http.client
import json
import logging
import math
import os
import random
import re
import socket
import sys
import threading
import time
import urllib.parse
import uuid

__all__ = ["params", "report", "should_stop", "study", "Study", "Trial", "TrialPruned", "Error", "Unreachable", "StudyEnded"]
__version__ = "0.1.0"

DEFAULT_SERVER = "http://127.0.0.1:8080"
PATIENCE = 60.0  # seconds that calls of a study go on trying while the daemon is away
BATCH, LINGER = 100, 1.0  # a report is sent when so many points wait, or after so many seconds
MOST_AT_ONCE, MOST_QUEUED = 500, 10000  # points in one request, and waiting at most
LAST_FLUSH = 2.0  # seconds that the end of the program may take
PAGE = 1000  # trials in one answer
POLL = 5.0  # seconds after which should_stop has the daemon asked anew
CHOICES = "tuned.dev/choices"  # annotation of an experiment: the choices that are no text, as JSON
TOKEN_AGE = 60.0  # seconds after which a token's file is read again


class Error(Exception):
    """The daemon refused a call. code is stable, such as EXPERIMENT_NOT_FOUND; see docs/errors.md."""

    refused = False  # nobody listens at all
    retry_after = 0.0  # seconds that the daemon asks to wait

    def __init__(self, message, code="", status=0):
        super().__init__(message)
        self.code, self.status = code, status


class Unreachable(Error):
    """No daemon answers, or it cannot answer now: trying again may help."""


class StudyEnded(Error):
    """No trial will come any more: the budget is used up, the goal is reached, or the study was stopped."""


class TrialPruned(Exception):
    """Raised by an objective that gives up a trial, as should_stop advises. Its last report is its value."""


# --- The connection


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _socket_of(data_dir):
    """The path of the socket of the daemon that has a data directory."""
    data_dir = os.path.realpath(data_dir)
    path = os.path.join(data_dir, "tuned.sock")
    if len(os.fsencode(path)) <= 100:
        return path
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16] + ".sock"
    return "/tmp/tuned-%d/%s" % (os.getuid(), name)


def _data_dir():
    state = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        state = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "tuned-hpo")


class Client:
    """Calls one daemon. Threads may share it: each has a connection of its own."""

    def __init__(self, server=None, token=None, token_file=None, data_dir=None, timeout=30.0):
        """Arguments win over $TUNED_SERVER, $TUNED_TOKEN and $TUNED_TOKEN_FILE, these over the data directory."""
        if not token and not token_file:
            token = os.environ.get("TUNED_TOKEN")
            token_file = None if token else os.environ.get("TUNED_TOKEN_FILE")
        server = server or (None if data_dir else os.environ.get("TUNED_SERVER"))
        if not server:
            data_dir = data_dir or _data_dir()
            path = _socket_of(data_dir)
            server = "unix:" + path if os.path.exists(path) else DEFAULT_SERVER
            if server == DEFAULT_SERVER and not token and not token_file:
                token_file = os.path.join(data_dir, "token")
        self.server, self.timeout = server, timeout
        self._token, self._token_file, self._token_read = token, token_file, -TOKEN_AGE
        self._local = threading.local()
        if not server.startswith("unix:"):
            url = urllib.parse.urlsplit(server if "://" in server else "http://" + server)
            if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/"):
                raise ValueError("server %r: want http://HOST:PORT, https://HOST:PORT or unix:PATH" % server)
            self._url = url
            near = url.hostname in ("localhost", "::1") or url.hostname.startswith("127.")
            if url.scheme == "http" and not near and (token or token_file):
                raise ValueError("server %s: over http the token could be read on its way; use https" % server)

    def _connection(self):
        if getattr(self._local, "pid", None) != os.getpid():  # a fork must not share its parent's
            self._local.pid, self._local.conn = os.getpid(), self._connect()
        return self._local.conn

    def _connect(self):
        if self.server.startswith("unix:"):
            return _UnixConnection(self.server[len("unix:"):], self.timeout)
        if self._url.scheme == "http":
            return http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=self.timeout)
        import ssl
        trust = ssl.create_default_context(cafile=os.environ.get("TUNED_CA_FILE"))
        return http.client.HTTPSConnection(self._url.hostname, self._url.port, timeout=self.timeout, context=trust)

    def _headers(self, anew):
        if self._token_file and (anew or time.monotonic() - self._token_read >= TOKEN_AGE):
            try:
                with open(self._token_file, encoding="utf-8") as file:
                    self._token = file.read().strip()
            except OSError:
                pass  # without a token the daemon says what it wants
            self._token_read = time.monotonic()
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        return headers

    def _once(self, method, path, body, anew=False):
        """One attempt: the answer, or Error, or Unreachable where another attempt may help."""
        conn = self._connection()
        try:
            conn.request(method, path, json.dumps(body or {}).encode() if method == "POST" else None, self._headers(anew))
            response = conn.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as e:
            conn.close()  # connects anew at the next request
            away = Unreachable("no daemon answers at %s: %s; tuned serve starts one" % (self.server, e or type(e).__name__), "UNREACHABLE")
            away.refused = isinstance(e, (ConnectionRefusedError, FileNotFoundError))
            raise away from None
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": "%s answers %d with no JSON" % (self.server, response.status)}
        if response.status < 300:
            return answer
        kind = Unreachable if response.status in (429, 502, 503, 504, 507) else Error
        error = kind(answer.get("message", ""), answer.get("code", ""), response.status)
        if kind is Unreachable:
            wait = response.getheader("Retry-After") or ""
            error.retry_after = float(wait) if wait.isdigit() else 0.0
        raise error

    def call(self, method, path, body=None, wait=PATIENCE):
        """Calls a method of the API. It is repeated for `wait` seconds while the daemon is away."""
        deadline, delay, anew = time.monotonic() + wait, 0.05, False
        while True:
            try:
                return self._once(method, path, body, anew)
            except Unreachable as e:
                pause = max(delay * random.uniform(0.8, 1.2), e.retry_after)
                if time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
                delay = min(2 * delay, 5.0)
            except Error as e:
                if e.status != 401 or anew or not self._token_file:
                    raise
                anew = True  # tokens are replaced now and then


def _path(namespace, *words):
    return "/api/v1/namespaces/" + "/".join(urllib.parse.quote(str(word), safe="") for word in (namespace, "experiments") + words)


class _Stream:
    """The measurements of one trial, numbered so that what is sent twice is stored once."""

    def __init__(self, client, path):
        self._client, self._path, self._next = client, path, None

    def send(self, points, wait):
        """Stores points, in this order, and returns the answer. After Unreachable the same points must follow."""
        if self._next is None:
            answer = self._client.call("POST", self._path, {}, wait)
            self._next = int(answer["ackedSeq"]) + 1
        numbered = [dict(point, seq=self._next + i) for i, point in enumerate(points)]
        try:
            answer = self._client.call("POST", self._path, {"measurements": numbered}, wait)
        except Unreachable:
            raise
        except Error:
            self._next = None  # nothing of it was stored
            raise
        acked, last = int(answer["ackedSeq"]), self._next + len(points) - 1
        if acked > last:
            _warn("writers", "another process reports for this trial too: only one should, values may be missing")
        self._next = acked + 1
        return answer


# --- Inside a trial


_log = logging.getLogger("tuned")
_warned = set()


def _warn(kind, message):
    """Says once what is wrong, and never raises: training goes on."""
    if kind not in _warned:
        _warned.add(kind)
        try:
            _log.warning("tuned: %s", message)
        except Exception:
            pass


def _number(value):
    """The text of a metric's value, None when it is no number. Tensors and arrays of one element are taken."""
    try:
        return repr(float(value))
    except (TypeError, ValueError, RuntimeError):
        return None


def _points(metrics, step):
    seconds, nanos = divmod(time.time_ns(), 10**9)
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".%09dZ" % nanos
    points = []
    for name, value in metrics.items():
        text = _number(value)
        if text is None:
            _warn("value", "metric %s is left out: %.100r is no number" % (name, value))
            continue
        points.append({"step": int(step or 0), "metric": str(name), "text": text, "time": now})
    return points


def _print_points(points):
    """Prints lines that the collectors of tuned and of Katib find."""
    for point in points:
        print(("step=%d " % point["step"] if point["step"] else "") + "%s=%s" % (point["metric"], point["text"]), flush=True)


def _append(file, points):
    """Adds points to the file of reports: in one write, so that those of other threads and processes stay whole."""
    data = "".join("\n%s\n" % json.dumps(point) for point in points).encode()
    fd = os.open(file, os.O_WRONLY | os.O_APPEND)
    try:
        written = os.write(fd, data)
    finally:
        os.close(fd)
    if written < len(data):
        raise OSError("%s: no space left" % file)


class _Reporter:
    """Sends points from a thread of its own, so that training never waits.

    With a file, which the agent of the trial reads, points are written there at once instead: neither the end of the
    daemon nor that of the program loses them. The thread then only asks whether to stop."""

    def __init__(self, client, path, file=None):
        self.stop = False
        self._file = file
        self._stream, self._queue, self._flight = _Stream(client, path), collections.deque(), []
        self._wake = threading.Condition()
        self._closing = 0.0  # when the last flush must have ended; 0 before the end
        self._asked, self._answered = False, time.monotonic()
        self._thread = threading.Thread(target=self._run, name="tuned-report", daemon=True)
        self._thread.start()

    def put(self, points):
        if self._file:
            _append(self._file, points)
            return
        with self._wake:
            self._queue.extend(points)
            if len(self._queue) > MOST_QUEUED:
                _warn("queue", "the daemon does not take reports fast enough, or is away: the oldest are dropped")
                while len(self._queue) > MOST_QUEUED:
                    self._queue.popleft()
            self._wake.notify()

    def should_stop(self):
        if time.monotonic() - self._answered > (LINGER if self._file else POLL):
            with self._wake:
                self._asked = True
                self._wake.notify()
        return self.stop

    def _run(self):
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._queue or self._asked or self._closing)
                self._wake.wait_for(lambda: len(self._queue) >= BATCH or self._asked or self._closing, LINGER)
                if self._closing and not self._queue:
                    return
                while self._queue and len(self._flight) < MOST_AT_ONCE:
                    self._flight.append(self._queue.popleft())
                self._asked, self._answered = False, time.monotonic()
            try:
                if not self._deliver():
                    return
            except Exception as e:
                _warn("report", "reports are dropped: %s: %s" % (type(e).__name__, e))
            self._flight = []

    def _deliver(self):
        """Sends what is in flight. False when it was given up because the program ends."""
        delay, refused = 0.1, False
        while True:
            try:
                answer = self._stream.send(self._flight, 0)
                self.stop, self._answered = bool(answer["shouldStop"]), time.monotonic()
                return True
            except Error as e:
                if isinstance(e, Unreachable) or e.status == 401:  # the token may be renewed
                    _warn("away", "%s; %s" % (e, "should_stop stays as it is" if self._file else "reports wait"))
                    if self._closing and (e.refused or time.monotonic() > self._closing):
                        return False
                    self._pause(max(delay * random.uniform(0.8, 1.2), e.retry_after))
                    delay = min(2 * delay, 5.0)
                elif refused:
                    raise
                else:
                    refused = True  # once more, numbered anew

    def _pause(self, seconds):
        if self._closing:
            time.sleep(0.1)
            return
        with self._wake:
            self._wake.wait_for(lambda: self._closing, seconds)

    def close(self):
        """Sends what waits, for LAST_FLUSH seconds at most. What is left is printed, for a collector to find."""
        if self._file:
            return
        with self._wake:
            self._closing = self._closing or time.monotonic() + LAST_FLUSH
            self._wake.notify()
        self._thread.join(max(0.0, self._closing - time.monotonic()))
        _print_points(self._flight + list(self._queue))


def _first_rank():
    """Whether this process speaks for its training job."""
    env = os.environ.get
    try:
        task = json.loads(env("TF_CONFIG") or "{}")
        kind, index = task.get("task", {}).get("type"), int(task.get("task", {}).get("index", 0))
        if kind in ("worker", "ps", "evaluator", "chief", "master"):
            chief = "chief" in task.get("cluster", {}) or "master" in task.get("cluster", {})
            return kind in ("chief", "master") or (kind == "worker" and index == 0 and not chief)
    except (ValueError, AttributeError, TypeError):
        pass
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK"):
        if env(name, "").isdigit():
            return int(env(name)) == 0
    return True


_lock = threading.RLock()
_current = None  # what report does in this process: a _Reporter, "print" or "silent"; None: not yet decided


def _reporting():
    global _current
    with _lock:
        if _current is None:
            try:
                _current = _choose()
            except Exception as e:
                _warn("start", "%s; metrics are printed instead" % e)
                _current = "print"
        return _current


def _choose():
    env = os.environ.get
    if env("TUNED_REPORT") == "0" or (env("TUNED_REPORT") != "1" and not _first_rank()):
        return "silent"
    if not (env("TUNED_SERVER") and env("TUNED_EXPERIMENT") and env("TUNED_TRIAL")):
        return "print"
    namespace, _, name = env("TUNED_EXPERIMENT").rpartition("/")
    path = _path(namespace or "default", name, "trials", env("TUNED_TRIAL"), "report")
    file = env("TUNED_REPORT_FILE")
    if file and not os.access(file, os.W_OK):
        file = None  # it is on another machine, or outside of this container
    reporter = _Reporter(Client(env("TUNED_SERVER"), timeout=5.0), path, file)
    finalize = getattr(sys.modules.get("multiprocessing.util"), "Finalize", None)
    if finalize:  # processes of multiprocessing end without atexit
        finalize(None, _close, exitpriority=1)
    return reporter


def _close():
    global _current
    try:
        if isinstance(_current, _Reporter):
            _current.close()
            _current = "silent"
    except Exception as e:
        _warn("close", "the last reports may be lost: %s" % e)


def _after_fork():
    """A child of a process that reports stays silent: two would mix their numbers. Another one may report."""
    global _lock, _current
    _lock = threading.RLock()
    _current = "forked" if isinstance(_current, _Reporter) or _current == "forked" else None


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def report(metrics=None, step=None, **named):
    """Reports metrics of this trial: report(step=3, val_loss=0.2), or report({"val/loss": 0.2}, step=3).

    It returns at once and never raises. Outside of a trial it prints the metrics as NAME=VALUE lines, which the
    collectors of tuned and Katib find; of a job with several ranks only the first one reports."""
    try:
        how = _reporting()
        if how == "silent":
            return
        if how == "forked":
            _warn("forked", "this process was forked by one that reports: its own reports are dropped")
            return
        points = _points(dict(metrics or {}, **named), step)
        if how == "print":
            _print_points(points)
        else:
            how.put(points)
    except Exception as e:
        _warn("report", "a report is dropped: %s: %s" % (type(e).__name__, e))


def should_stop():
    """Whether this trial should end early, as the daemon said last. False outside of a trial. Never raises."""
    try:
        how = _reporting()
        return how.should_stop() if isinstance(how, _Reporter) else False
    except Exception as e:
        _warn("should_stop", "%s: %s" % (type(e).__name__, e))
        return False


def _guess(text):
    """A number where the text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _as(default, value):
    """The value in the type of a default."""
    if isinstance(default, bool):
        return str(value).lower() in ("true", "1", "yes", "on")
    if isinstance(default, int) and float(value) != int(float(value)):
        return float(value)  # a default of 1 does not make 0 of 0.01
    return type(default)(value) if isinstance(default, (int, float, str)) else value


def _from_arguments(words):
    """--name=value and --name value of a command line."""
    found = {}
    for word, following in zip(words, words[1:] + [""]):
        name, equals, value = word.partition("=")
        if not word.startswith("--") or (not equals and (not following or following.startswith("--"))):
            continue
        found[name[2:]] = _guess(value if equals else following)
    return found


def params(**defaults):
    """The parameters of this trial, as a dict. Never raises.

    They come from $TUNED_PARAMS or $TUNED_PARAMS_FILE, which the daemon sets; else from the command line, as
    --name=value. Defaults are for parameters that are in neither, and give the others their types."""
    found = {}
    try:
        env = os.environ.get
        if env("TUNED_PARAMS"):
            found = json.loads(env("TUNED_PARAMS"))
        elif env("TUNED_PARAMS_FILE"):
            with open(env("TUNED_PARAMS_FILE"), encoding="utf-8") as file:
                found = json.load(file)
        else:
            found = _from_arguments(sys.argv[1:])
            for name in defaults:
                found.setdefault(name, found.pop(name.replace("_", "-"), defaults[name]))
        found = dict(found)
    except Exception as e:
        _warn("params", "the parameters cannot be read: %s" % e)
        found = {}
    for name, default in defaults.items():
        try:
            found[name] = _as(default, found[name]) if name in found else default
        except (TypeError, ValueError, OverflowError):
            _warn("params", "parameter %s is %r, where its default is %r" % (name, found[name], default))
    return found


# --- From a notebook


class Parameter:
    """One parameter of a space; made by float, int and choice."""

    def __init__(self, kind, feasible, when=None, values=()):
        self.values = {_text(value): value for value in values}
        self.manifest = {"parameterType": kind, "feasibleSpace": feasible}
        if when:
            parent, among = when
            among = among if isinstance(among, (list, tuple)) else [among]
            self.manifest["activeWhen"] = {"parameter": parent, "values": [_text(value) for value in among]}


def _text(value):
    return repr(float(value)) if isinstance(value, float) else str(value)


def _range(kind, low, high, log, step, when):
    feasible = {"min": _text(low), "max": _text(high)}
    if log:
        feasible["distribution"] = "logUniform"
    if step is not None:
        feasible["step"] = _text(step)
    return Parameter(kind, feasible, when)


def _float_parameter(low, high, log=False, step=None, when=None):
    """A real parameter from low to high, both included. when=("optimizer", "sgd") makes it conditional."""
    return _range("double", low, high, log, step, when)


def _int_parameter(low, high, log=False, step=None, when=None):
    """A whole parameter from low to high, both included."""
    return _range("int", low, high, log, step, when)


def choice(values, when=None):
    """One of several values: an ordered scale when all are numbers, else categories."""
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return Parameter("discrete" if numbers else "categorical", {"list": [_text(value) for value in values]}, when, values)


class Trial:
    """One trial of a study: number, name, params, state, value (None while there is none), metrics, message."""

    def __init__(self, study, message):
        self._study = study
        self._stream = self._answer = None
        self._update(message)

    def _update(self, m):
        self.number, self.name, self.state, self.message = int(m["number"]), m["name"], m["state"], m["message"]
        self.params = {a["name"]: self._study._value(a["name"], a["value"]) for a in m["assignments"]}
        self.value = float(m["value"]) if m.get("value") is not None else None
        self.values = [float(value) for value in m["values"]]
        self.metrics = {x["name"]: float(x["value"]) for x in m["metrics"]}
        self.duration = _seconds(m["finished"]) - _seconds(m["started"]) if m.get("finished") and m.get("started") else None
        return self

    def __getitem__(self, name):
        return self.params[name]

    def __repr__(self):
        return "Trial(number=%d, state=%r, value=%r, params=%r)" % (self.number, self.state, self.value, self.params)

    def report(self, metrics=None, step=None, **named):
        """Stores intermediate metrics; should_stop then knows what the daemon thinks of them."""
        self._stream = self._stream or _Stream(self._study._client, self._study._path("trials", self.name, "report"))
        self._answer = self._stream.send(_points(dict(metrics or {}, **named), step), PATIENCE)

    def should_stop(self):
        """Whether the evaluation should end early: raise TrialPruned then, or return what there is."""
        if self._study._interrupted:
            return True
        if self._answer is None:
            return bool(self._study._call("GET", "trials", self.name, "should-stop")["shouldStop"])
        return bool(self._answer["shouldStop"])


def _seconds(stamp):
    """Seconds since 1970 of a time such as 2026-01-01T00:00:00.123Z."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + stamp[19:].rstrip("Z"))


def _check_definition(name, space, objective, max_trials):
    """TypeError or ValueError that says what is wanted."""
    if space is not None and not isinstance(space, dict):
        raise TypeError("study %s: space: want a dict of tuned.float, tuned.int and tuned.choice, got %r" % (name, space))
    for key, parameter in (space or {}).items():
        if not isinstance(parameter, Parameter):
            raise TypeError("study %s: space[%r]: want tuned.float(low, high), tuned.int(low, high) or tuned.choice(values), got %r" % (name, key, parameter))
    if objective is not None:
        pair = isinstance(objective, (list, tuple)) and len(objective) > 0 and isinstance(objective[0], str)
        several = [objective] if pair or not isinstance(objective, (list, tuple)) else objective
        if not several or not all(isinstance(o, (list, tuple)) and len(o) == 2 and o[1] in ("minimize", "maximize") for o in several):
            raise ValueError("study %s: want objective=(metric, \"minimize\" or \"maximize\"), or a list of several, got %r" % (name, objective))
    if max_trials is not None and (isinstance(max_trials, bool) or not isinstance(max_trials, int)):
        raise TypeError("study %s: max_trials: want a whole number, got %r" % (name, max_trials))


def study(name, space=None, objective=None, algorithm="bayesianoptimization", max_trials=None, seed=None, goal=None,
          settings=None, parallel=64, spec=None, namespace="default", **where):
    """Creates a study, or joins the one of this name.

    space maps names to tuned.float(low, high), tuned.int(low, high) or tuned.choice(values); without it the study
    must exist. objective is (metric, "minimize" or "maximize"), or a list of several. max_trials of a study that
    exists is changed. parallel is how many trials may be out at once. spec has further fields of an Experiment's
    spec. where is server, token, token_file or data_dir, see Client."""
    _check_definition(name, space, objective, max_trials)
    client = Client(**where)
    if space is None:
        return Study(client, client.call("GET", _path(namespace, name), wait=2.0))
    if objective is None:
        raise ValueError("study %s: want objective=(metric, \"minimize\" or \"maximize\")" % name)
    several = [objective] if isinstance(objective[0], str) else list(objective)
    goals = {"type": several[0][1], "objectiveMetricName": several[0][0],
             "metricStrategies": [{"name": metric, "value": "latest"} for metric, _ in several]}
    if goal is not None:
        goals["goal"] = goal
    wanted = {
        "objective": goals, "parallelTrialCount": parallel if max_trials is None else min(parallel, max_trials),
        "algorithm": {"algorithmName": algorithm, "algorithmSettings": [{"name": k, "value": _text(v)} for k, v in (settings or {}).items()]},
        "parameters": [dict(parameter.manifest, name=key) for key, parameter in space.items()],
        "tuned": {"objectives": [{"metricName": metric, "type": kind} for metric, kind in several[1:]]},
    }
    if max_trials is not None:
        wanted["maxTrialCount"] = max_trials
    if seed is not None:
        wanted["tuned"]["seed"] = seed
    for key, value in (spec or {}).items():
        wanted[key] = dict(wanted[key], **value) if isinstance(wanted.get(key), dict) else value
    typed = {key: list(p.values.values()) for key, p in space.items() if any(not isinstance(value, str) for value in p.values.values())}
    try:
        notes = {CHOICES: json.dumps(typed)} if typed else {}
    except (TypeError, ValueError):
        notes = {}  # some choice is neither text, a number, a bool nor None
    return Study(client, _create(client, namespace, name, wanted, notes), space)


def _create(client, namespace, name, spec, annotations):
    """Creates an experiment, or returns the one that differs in its budget alone, with the budget wanted."""
    def post():
        manifest = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "spec": spec,
                    "metadata": {"name": name, "namespace": namespace, "annotations": annotations}}
        return client.call("POST", _path(namespace), {"manifest": json.dumps(manifest)}, 2.0)
    try:
        return post()
    except Error as e:
        if e.code != "EXPERIMENT_EXISTS":  # the caller never saw the text that lines and columns are of
            raise type(e)(re.sub(r"\b\d+:\d+: (?=[a-z])", "", str(e)), e.code, e.status) from None
    fields = {"maxTrialCount": "maxTrials", "parallelTrialCount": "parallelTrials", "maxFailedTrialCount": "maxFailedTrials"}
    budget = {fields[key]: spec.pop(key) for key in fields if key in spec}
    before = client.call("GET", _path(namespace, name))["object"]["spec"]
    spec.update({key: before[key] for key in fields if key in before})
    post()  # says what else differs
    return client.call("POST", _path(namespace, name, "extend"), {"budget": budget})


class Study:
    """An experiment whose trials this process evaluates, alone or with others."""

    def __init__(self, client, experiment, space=None):
        self._client, self.namespace, self.name = client, experiment["namespace"], experiment["name"]
        self.objectives = [(o["metric"], o["type"]) for o in experiment["objectives"]]
        self._kinds = {p["name"]: p["parameterType"] for p in experiment["object"]["spec"].get("parameters", [])}
        self._choices = {key: parameter.values for key, parameter in (space or {}).items()}
        if space is None:
            typed = json.loads((experiment["object"]["metadata"].get("annotations") or {}).get(CHOICES, "{}"))
            self._choices = {key: {_text(value): value for value in values} for key, values in typed.items()}
        self._interrupted = False

    def _path(self, *words):
        return _path(self.namespace, self.name, *words)

    def _call(self, method, *words, **body):
        return self._client.call(method, self._path(*words), body)

    def _value(self, name, text):
        known = self._choices.get(name, {})
        kind = {"double": float, "int": int, "discrete": _guess}.get(self._kinds.get(name), str)
        return known[text] if text in known else kind(text)

    def ask(self, n=None):
        """The next trial to evaluate, or with n a list of up to n trials. StudyEnded when none will come any more."""
        answer = self._call("POST", "ask", count=n or 1, requestId=uuid.uuid4().hex)
        trials = [Trial(self, message) for message in answer["trials"]]
        if answer["done"] and not trials:
            raise StudyEnded("study %s has ended: no trial will come any more" % self.name, "STUDY_ENDED")
        if n is None and not trials:
            raise Error("study %s is paused, or all of its trials are out: tell their results first" % self.name, "NO_TRIAL_FREE")
        return trials if n is not None else trials[0]

    def tell(self, trial=None, value=None, params=None, failed=None):
        """Tells the result of a trial: a number, a list by objective, or a dict by metric; failed="why" for none.

        params instead of a trial is an evaluation that nobody asked for. Telling the same again is harmless."""
        if value is not None and failed is not None:
            raise ValueError("study %s: give a value or failed, not both" % self.name)
        body = {"failed": failed is not None, "message": str(failed or "")[:1000]}
        if value is not None and failed is None:
            metrics = value if isinstance(value, dict) else self._by_objective(value)
            body["measurements"] = [dict(point, seq=i + 1) for i, point in enumerate(_points(metrics, 0))]
        if params is not None:
            body.update(assignments=_assignments(params), requestId=uuid.uuid4().hex)
            return Trial(self, self._call("POST", "tell", **body))
        told = self._call("POST", "trials", getattr(trial, "name", trial), "tell", **body)
        return trial._update(told) if isinstance(trial, Trial) else Trial(self, told)

    def _by_objective(self, value):
        names = [metric for metric, _ in self.objectives]
        values = value if isinstance(value, (list, tuple)) else [value]
        if len(values) != len(names):
            raise ValueError("study %s: %d values given for %d objectives (%s)" % (self.name, len(values), len(names), ", ".join(names)))
        return dict(zip(names, values))

    def enqueue(self, params):
        """Adds a trial of your own choice: ask hands it out next."""
        return Trial(self, self._call("POST", "trials", assignments=_assignments(params), requestId=uuid.uuid4().hex))

    def optimize(self, objective, n_trials=None, n_jobs=1, quiet=False):
        """Evaluates objective(trial) for n_trials, or until the study ends, in n_jobs threads; returns the best trial.

        It returns a value as tell takes it. What it raises is told as the trial's failure, TrialPruned ends the trial
        with its last report. Ctrl-C stops the trials that are out, and is raised again."""
        lock, faults, taken = threading.Lock(), [], 0
        self._interrupted = False

        def take():
            nonlocal taken
            with lock:
                taken += 1
                return not self._interrupted and (n_trials is None or taken <= n_trials)

        def work(end):
            try:
                while take():
                    trial = self._wait_for_trial()
                    if trial is None:
                        return
                    self._evaluate(objective, trial)
                    if not quiet:
                        print(self._line(trial) + "\n", end="", flush=True)  # one write: threads do not mix their lines
            except BaseException as e:
                self._interrupted = True
                faults.append(e)
            finally:
                end.set()

        ends = []  # Thread.join takes a thread for ended when Ctrl-C comes in it
        try:
            for _ in range(n_jobs if n_jobs > 1 else 0):
                end = threading.Event()
                threading.Thread(target=work, args=(end,), name="tuned-optimize").start()
                ends.append(end)
            for end in ends:
                end.wait()
        except KeyboardInterrupt:
            self._interrupted = True  # the threads end after the trials that they evaluate
            for end in ends:
                end.wait()
            raise
        if not ends:
            work(threading.Event())
        if faults:
            raise faults[0]
        return self.best

    def _wait_for_trial(self):
        """The next trial; None at the end. Waits while others have all trials, or the study is paused."""
        delay = 0.1
        while not self._interrupted:
            try:
                return self.ask()
            except StudyEnded:
                return None
            except Error as e:
                if e.code != "NO_TRIAL_FREE":
                    raise
            time.sleep(delay)
            delay = min(2 * delay, 5.0)
        return None

    def _evaluate(self, objective, trial):
        try:
            result = {"value": objective(trial)}
            if result["value"] is None:
                result = {"failed": "the objective returned None"}
        except TrialPruned as e:
            result = {} if trial._answer else {"failed": "pruned without a report: %s" % e}
        except Exception as e:
            _log.warning("trial %d failed", trial.number, exc_info=True)
            result = {"failed": "%s: %s" % (type(e).__name__, e)}
        except BaseException:
            trial._update(self._call("POST", "trials", trial.name, "stop"))
            raise
        try:
            self.tell(trial, **result)
        except ValueError as e:  # another number of values than of objectives
            self.tell(trial, failed=str(e))
        except Error as e:
            if e.status == 400:  # what was returned is no value of the objective
                self.tell(trial, failed=str(e))
            elif e.status == 409:  # it ended meanwhile, by an early stop or somebody else
                trial._update(self._call("GET", "trials", trial.name))
            else:
                raise

    def _line(self, trial):
        value = " " + trial.message if trial.value is None else " %s=%.6g" % (self.objectives[0][0], trial.value)
        best = self.best
        found = "" if best is None or best.value is None else "  best %.6g (%d)" % (best.value, best.number)
        given = " ".join("%s=%s" % (k, "%.4g" % v if isinstance(v, float) else v) for k, v in trial.params.items())
        return "trial %d %s%s  %s%s" % (trial.number, trial.state, value, given, found)

    @property
    def best(self):
        """The best trial so far, None while there is none."""
        message = self._call("GET").get("best")
        return Trial(self, message) if message else None

    def trials(self):
        """All trials, by number."""
        found, token = [], ""
        while True:
            page = self._client.call("GET", self._path("trials") + "?pageSize=%d&pageToken=%s" % (PAGE, urllib.parse.quote(token)))
            found += [Trial(self, message) for message in page["trials"]]
            token = page["nextPageToken"]
            if not token:
                return found

    def importance(self):
        """How much of what the model expects each parameter explains, from 0 to 1, greatest first.

        Error MODEL_UNAVAILABLE with too few trials, or an algorithm that makes no model."""
        parameters = self._call("GET", "model")["model"]["outputs"][0]["parameters"]
        return dict(sorted(((p["name"], p["total"]) for p in parameters), key=lambda item: -item[1]))

    def __repr__(self):
        return "Study(%r, objectives=%r)" % (self.name, self.objectives)

    def _repr_html_(self):
        trials, best = self.trials(), self.best
        metric, kind = self.objectives[0]
        head = "<b>%s</b>: %d trials, %s %s" % (html.escape(self.name), len(trials), html.escape(kind), html.escape(metric))
        if best is None:
            return "<div>%s</div>" % head
        rows = [(metric, "%.6g" % best.value if best.value is not None else "")] + list(best.params.items())
        cells = "".join("<tr><td>%s</td><td>%s</td></tr>" % (html.escape(str(k)), html.escape(str(v))) for k, v in rows)
        chart = _sparkline([t.value for t in trials], kind)
        return "<div>%s<br>%s<table><tr><th>best</th><th>trial %d</th></tr>%s</table></div>" % (head, chart, best.number, cells)


def _assignments(params):
    return [{"name": name, "value": _text(value)} for name, value in params.items()]


def _sparkline(values, kind, width=360, height=60):
    """A drawing of values by trial: a dot each, and the best so far as a line."""
    known = [(i, value) for i, value in enumerate(values) if value is not None and math.isfinite(value)]
    if not known:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)

    def at(i, value):
        return 4 + i * (width - 8) / max(1, len(values) - 1), height - 4 - (value - low) * (height - 8) / ((high - low) or 1)

    dots = "".join("<circle cx='%.1f' cy='%.1f' r='2' fill='#888'/>" % at(i, value) for i, value in known)
    line, best = [], known[0][1]
    for i, value in known:
        best = min(best, value) if kind == "minimize" else max(best, value)
        line.append("%.1f,%.1f" % at(i, best))
    return "<svg width='%d' height='%d'>%s<polyline points='%s' fill='none' stroke='#06c'/></svg>" % (width, height, dots, " ".join(line))


# --- Callbacks of training libraries, each made when it is first asked for


def _numbers(metrics):
    return {name: value for name, value in (metrics or {}).items() if _number(value) is not None}


def _agreed(stop):
    """The answer of the first rank, on every rank of PyTorch's: all of them stop, or none."""
    distributed = sys.modules.get("torch.distributed")
    if not distributed or not distributed.is_available() or not distributed.is_initialized():
        return stop
    answer = [stop]
    distributed.broadcast_object_list(answer, src=0)
    return answer[0]


def _keras_callback():
    import keras

    class KerasCallback(keras.callbacks.Callback):
        """Reports the logs of each epoch: model.fit(..., callbacks=[tuned.KerasCallback()])."""

        def on_epoch_end(self, epoch, logs=None):
            report(_numbers(logs), step=epoch + 1)
            if should_stop():
                self.model.stop_training = True

    return KerasCallback


def _lightning_callback():
    try:
        from lightning.pytorch.callbacks import Callback
    except ImportError:
        from pytorch_lightning.callbacks import Callback

    class LightningCallback(Callback):
        """Reports what was logged, by epoch: Trainer(callbacks=[tuned.LightningCallback()])."""

        def on_train_epoch_end(self, trainer, pl_module):
            report(_numbers(trainer.callback_metrics), step=trainer.current_epoch + 1)
            if _agreed(should_stop()):
                trainer.should_stop = True

    return LightningCallback


def _transformers_callback():
    from transformers import TrainerCallback

    class TransformersCallback(TrainerCallback):
        """Reports what the Trainer logs and evaluates: Trainer(..., callbacks=[tuned.TransformersCallback()])."""

        def on_log(self, args, state, control, logs=None, **kwargs):
            if state.is_world_process_zero:
                report(_numbers(logs), step=state.global_step)
            control.should_training_stop = _agreed(should_stop()) or control.should_training_stop

    return TransformersCallback


def _xgboost_callback():
    from xgboost.callback import TrainingCallback

    class XGBoostCallback(TrainingCallback):
        """Reports evals as DATA-METRIC: xgboost.train(..., evals=[(d, "valid")], callbacks=[tuned.XGBoostCallback()])."""

        def after_iteration(self, model, epoch, evals_log):
            found = {data + "-" + metric: history[-1] for data, log in evals_log.items() for metric, history in log.items()}
            report({name: v[0] if isinstance(v, tuple) else v for name, v in found.items()}, step=epoch + 1)
            return should_stop()

    return XGBoostCallback


def _lightgbm_callback():
    from lightgbm.callback import EarlyStopException

    class LightGBMCallback:
        """Reports valid_sets as "DATA METRIC": lightgbm.train(..., callbacks=[tuned.LightGBMCallback()])."""

        def __call__(self, env):
            results = env.evaluation_result_list or []
            report({"%s %s" % (item[0], item[1]): item[2] for item in results}, step=env.iteration + 1)
            if should_stop():
                raise EarlyStopException(env.iteration, results)

    return LightGBMCallback


# float and int are served by name, so that this file keeps Python's own under these names.
_BY_NAME = {"float": lambda: _float_parameter, "int": lambda: _int_parameter, "KerasCallback": _keras_callback,
            "LightningCallback": _lightning_callback, "TransformersCallback": _transformers_callback,
            "XGBoostCallback": _xgboost_callback, "LightGBMCallback": _lightgbm_callback}
_made = {}


def __getattr__(name):
    if name not in _BY_NAME:
        raise AttributeError("module 'tuned' has no attribute %r" % name)
    if name not in _made:
        _made[name] = _BY_NAME[name]()
    return _made[name]
