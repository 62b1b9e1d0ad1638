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
from __future__ import annotations

import atexit
import calendar
import collections
import contextlib
import functools
import hashlib
import html
import http.client
import importlib.util
import itertools
import json
import logging
import math
import os
import random
import re
import signal
import socket
import sys
import threading
import time
import urllib.parse
import uuid
from typing import Any, Callable, Iterator, Mapping, Sequence

__all__ = ["params", "report", "should_stop", "checkpoint_dir", "study", "Study", "Trial", "TrialPruned",
           "Error", "Unreachable", "StudyEnded"]
__version__ = "0.1.0"

DEFAULT_SERVER = "http://127.0.0.1:8080"
PATIENCE = 60.0  # seconds that calls of a study go on trying while the daemon is away
BATCH, LINGER = 100, 1.0  # points are sent when so many wait, or so many seconds after those before
MOST_AT_ONCE, MOST_QUEUED = 500, 10000  # points in one request, and waiting at most
LAST_FLUSH = 2.0  # seconds that the end of the program may take
PAGE = 1000  # trials in one answer
CHOICES = "tuned.dev/choices"  # annotation of an experiment: the choices that are no text, as JSON


class Error(Exception):
    """The daemon refused a call. code is stable, such as EXPERIMENT_NOT_FOUND; see docs/errors.md."""

    hopeless = False  # nobody listens, or it is not to be trusted: to try again at once does not help
    retry_after = 0.0  # seconds that the daemon asks to wait

    def __init__(self, message: str, code: str = "", status: int = 0):
        super().__init__(message)
        self.code, self.status = code, status


class Unreachable(Error):
    """No daemon answers, or it cannot answer now: trying again may help."""


class StudyEnded(Error):
    """No trial will come any more: the budget is used up, the goal is reached, or the study was stopped."""


class TrialPruned(Exception):
    """Raised by an objective that gives up a trial, as should_stop advises. Its last report is its value."""


# --- The connection


def _address_in(data_dir):
    """The address of the daemon that has a data directory, and its token's file. None: the usual one."""
    if not data_dir:
        state = os.environ.get("XDG_STATE_HOME", "")
        state = state if os.path.isabs(state) else os.path.expanduser("~/.local/state")
        data_dir = os.path.join(state, "tuned-hpo")
    elif not os.path.isdir(data_dir):
        why = "data_dir %s: there is no such folder; it is the --data-dir of tuned serve"
        raise ValueError(why % data_dir)
    data_dir = os.path.realpath(data_dir)
    path = os.path.join(data_dir, "tuned.sock")
    if len(os.fsencode(path)) > 100:  # a socket's name may not be as long as that
        path = "/tmp/tuned-%d/%s.sock" % (os.getuid(), hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16])
    return ("unix:" + path, None) if os.path.exists(path) else (DEFAULT_SERVER, data_dir + "/token")


def _shown(text):
    """A text with what would drive a terminal, or break the line, written as in Python's literals."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _delays(seconds):
    """How long to wait before each further attempt: twice as long each time, a fifth more or less."""
    while True:
        yield seconds * random.uniform(0.8, 1.2)
        seconds = min(2 * seconds, 5.0)


class Client:
    """Calls one daemon. Threads and forks may share it."""

    def __init__(self, server: str | None = None, token: str | None = None, token_file: str | None = None,
                 data_dir: str | None = None, timeout: float = 30.0):
        """Arguments win over TUNED_SERVER, TUNED_TOKEN and TUNED_TOKEN_FILE, these over data_dir's."""
        token = (token or ("" if token_file else os.environ.get("TUNED_TOKEN", ""))).strip()
        token_file = token_file or (None if token else os.environ.get("TUNED_TOKEN_FILE"))
        server = server or (None if data_dir else os.environ.get("TUNED_SERVER"))
        self._token_named = bool(token_file)  # else there may be none
        if not server:
            server, found = _address_in(data_dir)
            token_file = token_file or (None if token else found)
        elif "://" not in server and not server.startswith("unix:"):
            server = "http://" + server
        self.server, self.timeout, self._token, self._token_file = server, timeout, token, token_file
        self._socket = server[len("unix:"):] if server.startswith("unix:") else None
        url = urllib.parse.urlsplit("http://localhost" if self._socket else server)
        if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/"):
            raise ValueError("server %r: want http://HOST:PORT, https://HOST:PORT or unix:PATH" % server)
        near = url.hostname in ("localhost", "::1") or url.hostname.startswith("127.")
        if url.scheme == "http" and not near and (token or token_file):
            raise ValueError("server %s: over http the token could be read on its way; use https" % server)
        kind, options = http.client.HTTPConnection, {"timeout": timeout}
        if url.scheme == "https":
            import ssl
            kind = http.client.HTTPSConnection
            trusted = os.environ.get("TUNED_CA_FILE")
            try:
                options["context"] = ssl.create_default_context(cafile=trusted)
            except OSError as e:  # which names no file
                why = "no certificate as PEM" if isinstance(e, ssl.SSLError) else e.strerror
                why = "TUNED_CA_FILE %s: %s; it names the certificates to trust" % (trusted, why)
                raise ValueError(why) from None
        self._connection = functools.partial(kind, url.hostname, url.port, **options)

    def _headers(self):
        """Those of a call. A token's file is read each time, for tokens are replaced now and then."""
        if self._token_file:
            try:
                with open(self._token_file, encoding="latin-1") as file:
                    self._token = file.read().strip()
            except OSError as e:
                if self._token_named and not self._token:
                    raise Error("token_file %s: %s; it holds the daemon's token" % (
                        self._token_file, e.strerror)) from None
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = "Bearer " + re.sub("[^!-~]", "", self._token)  # what headers take
        return headers

    def _once(self, method, path, body):
        """One attempt: the answer, or Error, or Unreachable where another attempt may help."""
        data = json.dumps(body or {}, ensure_ascii=False).encode("utf-8", "replace")
        conn = self._connection()
        try:
            if self._socket:
                conn.sock = socket.socket(socket.AF_UNIX)
                conn.sock.settimeout(self.timeout)
                conn.sock.connect(self._socket)
            conn.request(method, path, data if method == "POST" else None, self._headers())
            response = conn.getresponse()
            status, wait, text = response.status, response.getheader("Retry-After") or "", response.read()
        except (OSError, http.client.HTTPException) as e:
            kind, advice = Unreachable, "tuned serve starts one"
            if isinstance(e, ValueError):  # ssl's: the certificate is not trusted
                kind, advice = Error, "TUNED_CA_FILE names the certificates to trust"
            if re.search("(?i)WRONG.VERSION.NUMBER|RECORD.LAYER", str(e)):
                kind, advice = Error, "it speaks no TLS: use http://"
            error = kind("no daemon answers at %s: %s; %s" % (self.server, e or type(e).__name__, advice))
            error.code = "UNREACHABLE"
            error.hopeless = isinstance(e, (ConnectionRefusedError, FileNotFoundError, ValueError))
            raise error from None
        finally:
            conn.close()
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            answer = {"message": "%s answers %d, and no JSON: is it tuned serve?" % (self.server, status)}
            if b"HTTP request to an HTTPS server" in text:
                answer["message"] = "the daemon at %s speaks TLS: use https://" % self.server
        elif status < 300:
            return answer
        kind = Unreachable if status in (429, 502, 503, 504, 507) else Error
        error = kind(str(answer.get("message", "")), str(answer.get("code", "")), status)
        error.retry_after = float(wait) if wait.isdecimal() else 0.0
        raise error

    def call(self, method: str, path: str, body: dict | None = None, wait: float = PATIENCE) -> dict:
        """Calls a method of the API. It is repeated for `wait` seconds while the daemon is away."""
        deadline = time.monotonic() + wait
        for delay in _delays(0.05):
            try:
                return self._once(method, path, body)
            except Unreachable as e:
                delay = max(delay, e.retry_after)
                if time.monotonic() + delay > deadline:
                    raise
            time.sleep(delay)


def _path(namespace, *words):
    words = [urllib.parse.quote(str(word), safe="") for word in (namespace, "experiments") + words]
    return "/api/v1/namespaces/" + "/".join(words)


class _Stream:
    """The measurements of one trial, numbered so that what is sent twice is stored once."""

    def __init__(self, client, path):
        self._client, self._path, self._next = client, path, None

    def send(self, points, wait):
        """Stores points, in this order, and returns the answer. After Unreachable the same must follow."""
        if self._next is None:
            self._next = int(self._client.call("POST", self._path, {}, wait)["ackedSeq"]) + 1
        numbered = [dict(point, seq=self._next + i) for i, point in enumerate(points)]
        try:
            answer = self._client.call("POST", self._path, {"measurements": numbered}, wait)
        except Error as e:
            if not isinstance(e, Unreachable):
                self._next = None  # nothing of it was stored
            raise
        acked, last = int(answer["ackedSeq"]), self._next + len(points) - 1
        if acked > last:
            _warn("writers", "another process reports for this trial too: one should, values may be missing")
        self._next = acked + 1
        return answer


# --- Inside a trial


_log = logging.getLogger("tuned")
_warned = set()


def _warn(kind, message):
    """Says once what is wrong, and never raises: training goes on."""
    if kind not in _warned:
        _warned.add(kind)
        with contextlib.suppress(Exception):
            _log.warning("tuned: %s", message)


def _number(value):
    """The text of a metric's value, also of a tensor or array of one element; None when it is no number."""
    try:
        return repr(float(value))
    except Exception:  # whatever a foreign type raises
        return None


def _named(metrics, named):
    """The metrics of a report by name."""
    try:
        return dict({} if metrics is None else metrics, **named)
    except (TypeError, ValueError):
        why = 'want report(loss=0.3) or report({"loss": 0.3}, step=3), got %r' % (metrics,)
        raise TypeError(why) from None


def _points(metrics, step):
    step = int(step or 0)
    if not -2**63 <= step < 2**63:
        raise OverflowError("step %d is beyond 64 bits" % step)
    seconds, nanos = divmod(time.time_ns(), 10**9)
    now = "%s.%09dZ" % (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)), nanos)
    points = []
    for name, value in metrics.items():
        text = _number(value)
        if text is None:
            _warn("value", "metric %s is left out: a %s is no number" % (name, type(value).__name__))
        else:
            points.append({"step": step, "metric": str(name), "text": text, "time": now})
    return points


def _print_points(points):
    """Prints lines that the collectors of tuned and of Katib find."""
    for point in points:
        step = "step=%d " % point["step"] if point["step"] else ""
        print("%s%s=%s" % (step, point["metric"], point["text"]), flush=True)


class _Reporter:
    """Takes the points of this process's trial, and knows whether it should stop.

    With a file, which the agent of the trial reads, points are written there at once: neither the end of the
    daemon nor that of the program loses them. Else a thread sends them, so that training never waits."""

    def __init__(self, client, path, file=None):
        self.stop = False
        self._file, self._stream = file, _Stream(client, path)
        self._queue, self._flight = collections.deque(), []  # points that wait, and those being sent
        self._wake, self._thread = threading.Condition(), None
        self._asked, self._sent = False, -LINGER  # whether an answer is wanted, and when the last call began
        self._closing = 0.0  # when the last flush must have ended; 0 before the end

    def put(self, points):
        with self._wake:
            self._queue.extend(points)
            while len(self._queue) > MOST_QUEUED:
                _warn("queue", "reports cannot be stored fast enough, or at all: the oldest are dropped")
                self._queue.popleft()
            if self._file:
                self._write()
            else:
                self._ring()

    def _write(self):
        """Moves what waits to the file, each point in one write. What a full disk keeps out waits on."""
        with open(self._file, "ab", buffering=0) as file:
            while self._queue:
                point = self._queue.popleft()
                line = ("\n%s\n" % json.dumps(point)).encode()
                try:
                    if file.write(line) < len(line):
                        raise OSError("%s: no space left" % self._file)
                except OSError:
                    self._queue.appendleft(point)
                    raise

    def should_stop(self):
        if time.monotonic() - self._sent > LINGER:
            with self._wake:
                self._asked = True
                self._ring()
        return self.stop

    def _ring(self):
        """Has the thread look. The first call starts it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tuned-report", daemon=True)
            try:
                self._thread.start()  # a signal's handler may report meanwhile
            except RuntimeError:
                self._thread = None  # the interpreter ends: close prints
        self._wake.notify()

    def _run(self):
        queue = () if self._file else self._queue  # with a file the thread only asks
        while True:
            with self._wake:
                self._wake.wait_for(lambda: queue or self._asked or self._closing)
                self._wake.wait_for(lambda: len(queue) >= BATCH or self._asked or self._closing,
                                    self._sent + LINGER - time.monotonic())
                if self._closing and not queue:
                    return
                self._flight = [queue.popleft() for _ in range(min(len(queue), MOST_AT_ONCE))]
                self._asked, self._sent = False, time.monotonic()
            try:
                if not self._deliver():
                    return
            except Exception as e:
                _warn("dropped", "reports are dropped: %s: %s" % (type(e).__name__, e))
            self._flight = []

    def _deliver(self):
        """Sends what is in flight. False when it was given up because the program ends."""
        refused = False
        for delay in _delays(0.1):
            try:
                self.stop = bool(self._stream.send(self._flight, 0)["shouldStop"])
                return True
            except Error as e:
                if not isinstance(e, Unreachable) and e.status not in (0, 401):  # a token may be replaced
                    if refused:
                        raise
                    refused = True  # once more, numbered anew
                    continue
                _warn("away", "%s; %s" % (e, "should_stop stays as it is" if self._file else "reports wait"))
                if self._closing and (e.hopeless or time.monotonic() > self._closing):
                    return False
                delay = max(delay, e.retry_after)
            with self._wake:
                self._wake.wait_for(lambda: self._closing, delay)
            time.sleep(0.05)  # at the end of the program there is no other wait

    def close(self):
        """Sends what waits, for LAST_FLUSH seconds at most. What is left is printed for collectors."""
        with self._wake:
            self._closing = time.monotonic() + LAST_FLUSH
            self._wake.notify()
        if self._thread and not self._file:
            self._thread.join(LAST_FLUSH)
        left = self._flight + list(self._queue)
        if left:
            _warn("away", "the last reports cannot be stored: they are printed")
        _print_points(left)


def _first_rank(env=os.environ.get):
    """Whether this process speaks for its training job."""
    with contextlib.suppress(ValueError, LookupError, AttributeError, TypeError):
        job = json.loads(env("TF_CONFIG") or "{}")
        kind, index = job["task"]["type"], int(job["task"].get("index", 0))
        if kind in ("worker", "ps", "evaluator", "chief", "master"):
            chief = {"chief", "master"} & set(job.get("cluster", {}))
            return kind in ("chief", "master") or (kind == "worker" and index == 0 and not chief)
    for name in ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "LOCAL_RANK"):
        if env(name, "").isdecimal():
            return int(env(name)) == 0
    return True


_lock = threading.RLock()
_current = None  # what report does here: a _Reporter, "print", "silent" or "forked"; None: not yet decided


def _reporting():
    global _current
    with _lock:
        if _current is None:
            try:
                chosen = _choose(os.environ.get)
            except Exception as e:
                _warn("start", "%s; metrics are printed instead" % e)
                chosen = "print"
            _current = _current or chosen  # a signal's handler may have been first
        return _current


def _choose(env):
    if env("TUNED_REPORT") == "0" or (env("TUNED_REPORT") != "1" and not _first_rank(env)):
        return "silent"
    loader = sys.modules.get("torch.utils.data")
    if loader and loader.get_worker_info():
        return "silent"  # it was forked by the one who reports, who may not have begun yet
    if not (env("TUNED_SERVER") and env("TUNED_EXPERIMENT") and env("TUNED_TRIAL")):
        return "print"
    namespace, _, name = env("TUNED_EXPERIMENT").rpartition("/")
    path = _path(namespace or "default", name, "trials", env("TUNED_TRIAL"), "report")
    file = env("TUNED_REPORT_FILE")
    if file and not os.access(file, os.W_OK):
        file = None  # it is on another machine, or outside of this container
    reporter = _Reporter(Client(env("TUNED_SERVER"), timeout=5.0), path, file)
    if "multiprocessing.util" in sys.modules:  # its processes end without atexit
        sys.modules["multiprocessing.util"].Finalize(None, _close, exitpriority=1)
    main = threading.current_thread() is threading.main_thread()
    if not file and main and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    return reporter


def _close():
    global _current
    try:
        if isinstance(_current, _Reporter):
            _current.close()
            _current = "silent"
    except Exception as e:
        _warn("close", "the last reports may be lost: %s" % e)


def _terminate(number, _):
    """Handles SIGTERM: sends what waits, then ends the process as the signal does by itself."""
    _close()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _after_fork():
    """A child of a process that reports stays silent: two would mix their numbers. Another one may report."""
    global _lock, _current
    _lock = threading.RLock()
    _current = "forked" if isinstance(_current, _Reporter) or _current == "forked" else None
    if signal.getsignal(signal.SIGTERM) == _terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def report(metrics: Mapping[str, Any] | None = None, step: Any = None, **named: Any) -> None:
    """Reports metrics of this trial: report(step=3, val_loss=0.2), or report({"val/loss": 0.2}, step=3).

    It returns at once and never raises. Outside of a trial it prints the metrics as NAME=VALUE lines, which
    the collectors of tuned and Katib find; of a job with several ranks only the first one reports."""
    try:
        how = _reporting()
        if how == "forked":
            _warn("forked", "this process was forked by one that reports: its own reports are dropped")
        elif how != "silent":
            put = _print_points if how == "print" else how.put
            put(_points(_named(metrics, named), step))
    except Exception as e:
        _warn("report", "a report is not stored: %s: %s" % (type(e).__name__, e))


def should_stop() -> bool:
    """Whether this trial should end early, as the daemon said last; False outside of one. Never raises."""
    try:
        how = _reporting()
        return how.should_stop() if isinstance(how, _Reporter) else False
    except Exception as e:
        _warn("should_stop", "%s: %s" % (type(e).__name__, e))
        return False


def _guess(text):
    """A number where the text is one."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
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
        if word.startswith("--") and (equals or (following and not following.startswith("--"))):
            found[name[2:]] = _guess(value if equals else following)
    return found


def params(**defaults: Any) -> dict[str, Any]:
    """The parameters of this trial, as a dict. Never raises.

    They come from $TUNED_PARAMS or $TUNED_PARAMS_FILE, which the daemon sets; else from the command line, as
    --name=value. Defaults are for parameters that are in neither, and give the others their types."""
    found = {}
    try:
        env = os.environ.get
        if env("TUNED_PARAMS"):
            found = dict(json.loads(env("TUNED_PARAMS")))
        elif env("TUNED_PARAMS_FILE"):
            with open(env("TUNED_PARAMS_FILE"), encoding="utf-8") as file:
                found = dict(json.load(file))
        else:
            notebook = "kernel_launcher" in "".join(sys.argv[:1])  # whose arguments are not the user's
            found = {} if notebook else _from_arguments(sys.argv[1:])
            for name in defaults:
                found.setdefault(name, found.pop(name.replace("_", "-"), defaults[name]))
    except Exception as e:
        _warn("params", "the parameters cannot be read: %s" % e)
    for name, default in defaults.items():
        try:
            found[name] = _as(default, found[name]) if name in found else default
        except Exception:
            _warn("params", "parameter %s is %r, where its default is %r" % (name, found[name], default))
    return found


def checkpoint_dir() -> str | None:
    """The directory in which this trial keeps what it goes on from, None outside of a trial. Never raises.

    It holds what an earlier attempt of the trial has left, or a copy of what its parent has; else nothing."""
    return os.environ.get("TUNED_CHECKPOINT_DIR") or None


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


def _short(value):
    return "%.6g" % value if isinstance(value, float) else str(value)


def _given(**fields):
    return {key: value for key, value in fields.items() if value is not None}


def _range(kind):
    def parameter(low: float, high: float, log: bool = False, step: float | None = None,
                  when: tuple[str, Any] | None = None) -> Parameter:
        """A parameter from low to high, both included: a real one of tuned.float, a whole one of tuned.int.

        when=("optimizer", "sgd") makes it conditional."""
        feasible = {key: _text(value) for key, value in _given(min=low, max=high, step=step).items()}
        return Parameter(kind, _given(distribution="logUniform" if log else None, **feasible), when)
    return parameter


def choice(values: Sequence[Any], when: tuple[str, Any] | None = None) -> Parameter:
    """One of several values: an ordered scale when all are numbers, else categories."""
    if isinstance(values, str):
        raise TypeError("tuned.choice: want a list of values, such as [\"sgd\", \"adam\"], got %r" % values)
    numbers = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    kind = "discrete" if numbers else "categorical"
    return Parameter(kind, {"list": [_text(value) for value in values]}, when, values)


class Trial:
    """One trial of a study: number, name, params, state, message, metrics, duration in seconds, value (None
    while there is none), values (one for each objective), feasible (whether it keeps the constraints), parent
    (number of the trial whose checkpoint it goes on from, or None)."""

    def __init__(self, study: Study, message: dict):
        self._study = study
        self._stream = self._answer = None
        self._update(message)

    def _update(self, m):
        self.number, self.name = int(m["number"]), m["name"]
        self.parent = int(m.get("parent", 0)) or None
        self.state, self.message = m["state"], m["message"]
        self.params = {a["name"]: self._study._value(a["name"], a["value"]) for a in m["assignments"]}
        self.value = float(m["value"]) if m.get("value") is not None else None
        self.values, self.feasible = [float(value) for value in m["values"]], m["feasible"]
        self.metrics = {x["name"]: float(x["value"]) for x in m["metrics"]}
        times = [_seconds(m[name]) for name in ("started", "finished") if m.get(name)]
        self.duration = times[1] - times[0] if len(times) == 2 else None
        return self

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def __getattr__(self, name):
        raise AttributeError("a trial has no %s; its parameters are trial[NAME] and trial.params, and "
                             "study(space=...) says which there are" % name)

    def __repr__(self):
        return "Trial(number=%d, state=%r, value=%r, params=%r)" % (
            self.number, self.state, self.value, self.params)

    def report(self, metrics: Mapping[str, Any] | None = None, step: Any = None, **named: Any) -> None:
        """Stores intermediate metrics; should_stop then knows what the daemon thinks of them."""
        path = self._study._path("trials", self.name, "report")
        self._stream = self._stream or _Stream(self._study._client, path)
        self._answer = self._stream.send(_points(_named(metrics, named), step), PATIENCE)

    def should_stop(self) -> bool:
        """Whether the evaluation should end early: raise TrialPruned then, or return what there is."""
        if self._study._interrupted:
            return True
        answer = self._answer or self._study._call("GET", "trials", self.name, "should-stop")
        return bool(answer["shouldStop"])


def _seconds(stamp):
    """Seconds since 1970 of a time such as 2026-01-01T00:00:00.123Z."""
    whole, fraction = stamp[:19], "0" + stamp[19:].rstrip("Z")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(fraction)


def _objectives(name, objective):
    """The pairs of metric and direction that an objective is."""
    listed = isinstance(objective, (list, tuple)) and len(objective) > 0
    several = objective if listed and not isinstance(objective[0], str) else [objective]
    for pair in several:
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or pair[1] not in ("minimize", "maximize"):
            raise ValueError("study %s: want objective=(metric, \"minimize\" or \"maximize\"), or a list of "
                             "several, got %r" % (name, objective))
    return several


def study(name: str, space: Mapping[str, Parameter] | None = None, objective: Any = None,
          algorithm: str = "auto", max_trials: int | None = None, seed: int | None = None,
          goal: float | None = None, settings: Mapping[str, Any] | None = None, parallel: int = 64,
          spec: Mapping[str, Any] | None = None, namespace: str = "default", **where: Any) -> Study:
    """Creates a study, or joins the one of this name.

    space maps names to tuned.float(low, high), tuned.int(low, high) or tuned.choice(values); without it the
    study must exist. objective is (metric, "minimize" or "maximize"), or a list of several. max_trials of a
    study that exists is raised, and never lowered. parallel is how many trials may be out at once. spec has
    further fields of an Experiment's spec. where is server, token, token_file or data_dir, see Client."""
    if space is not None and not isinstance(space, dict):
        raise TypeError("study %s: space: want a dict of parameters, got %r" % (name, space))
    for key, parameter in (space or {}).items():
        if not isinstance(parameter, Parameter):
            raise TypeError("study %s: space[%r]: want tuned.float(low, high), tuned.int(low, high) or "
                            "tuned.choice(values), got %r" % (name, key, parameter))
    _check_where(name, where)
    if max_trials is not None:
        _check_whole("study %s: max_trials" % name, max_trials, 1)
    several = _objectives(name, objective) if space is not None or objective is not None else []
    client = Client(**where)
    if space is None:
        try:
            return Study(client, client.call("GET", _path(namespace, name), wait=2.0))
        except Error as e:
            if e.code != "EXPERIMENT_NOT_FOUND":
                raise
            raise Error("%s; space and objective make it" % e, e.code, e.status) from None
    (metric, kind), others = several[0], several[1:]
    latest = [{"name": metric, "value": "latest"} for metric, _ in several]
    settings = [{"name": key, "value": _text(value)} for key, value in (settings or {}).items()]
    wanted = _given(
        objective=_given(type=kind, objectiveMetricName=metric, metricStrategies=latest, goal=goal),
        algorithm={"algorithmName": algorithm, "algorithmSettings": settings},
        parameters=[dict(parameter.manifest, name=key) for key, parameter in space.items()],
        maxTrialCount=max_trials, parallelTrialCount=min(parallel, max_trials or parallel),
        tuned=_given(objectives=[{"metricName": metric, "type": kind} for metric, kind in others], seed=seed))
    for key, value in (spec or {}).items():
        wanted[key] = dict(wanted[key], **value) if isinstance(wanted.get(key), dict) else value
    typed = {key: list(parameter.values.values()) for key, parameter in space.items()
             if not all(isinstance(value, str) for value in parameter.values.values())}
    notes = {}
    with contextlib.suppress(TypeError, ValueError):  # some choice is neither text, a number, a bool nor None
        notes = {CHOICES: json.dumps(typed)} if typed else {}
    return Study(client, _create(client, namespace, name, wanted, notes), space)


def _check_whole(what, n, least):
    """Refuses what is no whole number of at least so much."""
    whole = isinstance(n, int) and not isinstance(n, bool)
    if not whole or n < least:
        kind = ValueError if whole else TypeError
        raise kind("%s: want a whole number of at least %d, got %r" % (what, least, n))


def _check_where(name, where):
    """Refuses arguments that neither study nor Client has, with the one that was meant."""
    import difflib
    known = [*study.__code__.co_varnames[:study.__code__.co_argcount], "server", "token",
             "token_file", "data_dir", "timeout"]
    for key in where:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            near = "; did you mean %s?" % near[0] if near else "; there are " + ", ".join(known)
            raise TypeError("study %s: there is no argument %s%s" % (name, key, near))


def _create(client, namespace, name, spec, annotations):
    """Creates an experiment, or joins the one that differs in its budget alone."""
    def clear(text):
        return re.sub(r"\b\d+:\d+: (?=[a-z])", "", text)  # places in a text that the caller never saw

    def post():
        manifest = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "spec": spec,
                    "metadata": {"name": name, "namespace": namespace, "annotations": annotations}}
        return client.call("POST", _path(namespace), {"manifest": json.dumps(manifest)}, 2.0)
    try:
        created = post()
        for warning in created.get("warnings", ()):
            _log.warning("study %s: %s", name, clear(warning))
        return created
    except Error as e:
        if e.code != "EXPERIMENT_EXISTS":
            raise type(e)(clear(str(e)), e.code, e.status) from None
    wanted = {key: spec.pop(key) for key in _BUDGET if key in spec}
    before = None
    while True:
        joined = client.call("GET", _path(namespace, name))["object"]["spec"]
        budget = {key: joined[key] for key in _BUDGET if key in joined}
        for key in _BUDGET:
            spec.pop(key, None)
        spec.update(budget)
        try:
            post()  # says what else differs
            return _raise_budget(client, namespace, name, wanted)
        except Error as e:
            if e.code != "EXPERIMENT_EXISTS" or budget == before:
                raise
        before = budget  # others may have changed it in between: what differs without that is a fault


# What may differ where a study is joined, and what extend calls it.
_BUDGET = {"maxTrialCount": "maxTrials", "parallelTrialCount": "parallelTrials",
           "maxFailedTrialCount": "maxFailedTrials"}


def _raise_budget(client, namespace, name, wanted):
    """Has an experiment allow as much as is wanted, and returns it. What allows more stays as it is."""
    while True:
        experiment = client.call("GET", _path(namespace, name))
        now = experiment["object"]["spec"]
        most = {key: max(n, now.get(key, math.inf)) for key, n in wanted.items()}
        trials = most.get("maxTrialCount", now.get("maxTrialCount", math.inf))
        most["parallelTrialCount"] = min(most["parallelTrialCount"], trials)
        budget = {_BUDGET[key]: n for key, n in most.items() if n < math.inf}
        if all(now.get(key, math.inf) == n for key, n in most.items()):
            break
        client.call("POST", _path(namespace, name, "extend"), {"budget": budget})
        time.sleep(0.1)  # who read the budget before it was raised may lower it again by now
    if wanted.get("maxTrialCount", math.inf) < now.get("maxTrialCount", math.inf):
        _log.warning("study %s: max_trials stays %s, more than the %s given: joining a study only raises it",
                     name, now.get("maxTrialCount", "unlimited"), wanted["maxTrialCount"])
    return experiment


class Study:
    """An experiment whose trials this process evaluates, alone or with others."""

    def __init__(self, client: Client, experiment: dict, space: Mapping[str, Parameter] | None = None):
        self._client, self.namespace, self.name = client, experiment["namespace"], experiment["name"]
        self.objectives = [(o["metric"], o["type"]) for o in experiment["objectives"]]
        manifest = experiment["object"]
        self._kinds = {p["name"]: p["parameterType"] for p in manifest["spec"].get("parameters", [])}
        self._choices = {key: parameter.values for key, parameter in (space or {}).items()}
        if space is None:
            typed = json.loads((manifest["metadata"].get("annotations") or {}).get(CHOICES, "{}"))
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

    def _ask(self, count, request, wait=PATIENCE):
        answer = self._client.call("POST", self._path("ask"), {"count": count, "requestId": request}, wait)
        return [Trial(self, message) for message in answer["trials"]], answer["done"]

    def ask(self, n: int | None = None) -> Any:
        """The next trial to evaluate, or with n a list of up to n; StudyEnded when none will come."""
        if n is not None and (not isinstance(n, int) or n < 1):
            raise ValueError("study %s: ask: n: want a whole number of at least 1, got %r" % (self.name, n))
        trials, done = self._ask(n or 1, uuid.uuid4().hex)
        if done and not trials:
            raise StudyEnded("study %s has ended: no trial will come any more" % self.name, "STUDY_ENDED")
        if n is None and not trials:
            raise Error("study %s is paused, or its trials are out: tell them" % self.name, "NO_TRIAL_FREE")
        return trials if n is not None else trials[0]

    def tell(self, trial: Trial | str | int | None = None, value: Any = None,
             params: Mapping[str, Any] | None = None, failed: str | None = None) -> Trial:
        """Tells the result of a trial: a number, a list by objective, or a dict by metric; or failed="why".

        params instead of a trial: an evaluation that nobody asked for. Telling the same again is harmless."""
        if (trial is None) == (params is None):
            raise ValueError("study %s: tell the result of a trial, or of params" % self.name)
        if value is not None and failed is not None:
            raise ValueError("study %s: give a value or failed, not both" % self.name)
        body = {"failed": failed is not None, "message": str(failed or "")[:1000]}
        if value is not None:
            if not isinstance(value, dict):
                names = [metric for metric, _ in self.objectives]
                values = value if isinstance(value, (list, tuple)) else [value]
                if len(values) != len(names):
                    raise ValueError("study %s: %d values given for %d objectives (%s)" % (
                        self.name, len(values), len(names), ", ".join(names)))
                value = dict(zip(names, values))
            body["measurements"] = [dict(point, seq=i + 1) for i, point in enumerate(_points(value, 0))]
        if params is not None:
            return Trial(self, self._call("POST", "tell", **body, **_new(params)))
        told = self._call("POST", "trials", getattr(trial, "name", trial), "tell", **body)
        return trial._update(told) if isinstance(trial, Trial) else Trial(self, told)

    def enqueue(self, params: Mapping[str, Any]) -> Trial:
        """Adds a trial of your own choice: ask hands it out next."""
        return Trial(self, self._call("POST", "trials", **_new(params)))

    def optimize(self, objective: Callable[[Trial], Any], n_trials: int | None = None, n_jobs: int = 1,
                 quiet: bool = False) -> Trial | None:
        """Evaluates objective(trial) n_trials times, or until the study ends, n_jobs at once; returns best.

        It returns a value as tell takes it. What it raises is told as the trial's failure; TrialPruned ends
        the trial with its last report. Ctrl-C stops the trials that are out, and is raised again."""
        if not callable(objective):
            raise TypeError("study %s: optimize: want a function of a trial, as in optimize(objective, "
                            "n_trials=3), got %r" % (self.name, objective))
        if n_trials is not None:
            _check_whole("study %s: optimize: n_trials" % self.name, n_trials, 0)
        turns = iter(range(n_trials)) if n_trials is not None else itertools.count()
        self._interrupted = False

        def work():
            try:
                for _ in turns:
                    if self._interrupted or not self._evaluate(objective, quiet):
                        return
            except BaseException:
                self._interrupted = True  # the other threads end after the trials that they evaluate
                raise

        if n_jobs <= 1:
            work()
            return self.best
        from concurrent import futures
        with futures.ThreadPoolExecutor(n_jobs, "tuned-optimize") as pool:
            started = [pool.submit(work) for _ in range(n_jobs)]
            try:
                futures.wait(started)
            except KeyboardInterrupt:
                self._interrupted = True
                raise
        for future in started:
            future.result()
        return self.best

    def _evaluate(self, objective, quiet):
        """Evaluates a trial and tells its result. False when none will come any more."""
        request = uuid.uuid4().hex
        try:
            trial = self._wait_for_trial(request)
            if trial:
                self._tell_result(trial, self._result(objective, trial))
        except (KeyboardInterrupt, SystemExit, GeneratorExit):  # the request knows the trial, seen or not
            with contextlib.suppress(Error):
                for trial in self._ask(1, request, 2.0)[0]:
                    self._client.call("POST", self._path("trials", trial.name, "stop"), wait=2.0)
            raise
        if trial and not quiet:
            print(self._line(trial) + "\n", end="", flush=True)  # one write: threads do not mix their lines
        return trial is not None

    def _wait_for_trial(self, request):
        """The next trial; None at the end. Waits while others have all trials, or the study is paused."""
        for delay in _delays(0.1):
            trials, done = self._ask(1, request)
            if trials or done or self._interrupted:
                return trials[0] if trials else None
            if delay > 2:
                _warn("waits", "study %s waits: %s" % (self.name, self._what_holds()))
            time.sleep(delay)

    def _what_holds(self):
        """Why no trial comes, and what frees those that nobody evaluates any more."""
        with contextlib.suppress(Error):
            out = [t for t in self.trials() if t.state == "Running"]
            if out:
                names = ", ".join(t.name for t in out[:5]) + (" and others" if out[5:] else "")
                return "trials are out: %s; of one that nobody evaluates any more: tuned stop -n %s %s %s" % (
                    names, self.namespace, self.name, out[0].name)
        return "it is paused, or others evaluate the trials left"

    def _result(self, objective, trial):
        try:
            value = objective(trial)
        except TrialPruned as e:
            return {} if trial._answer else {"failed": "pruned without a report: %s" % e}
        except Exception as e:
            _log.warning("trial %d failed", trial.number, exc_info=True)
            return {"failed": "%s: %s" % (type(e).__name__, e)}
        return {"failed": "the objective returned None"} if value is None else {"value": value}

    def _tell_result(self, trial, result):
        try:
            self.tell(trial, **result)
        except (ValueError, Error) as e:
            status = getattr(e, "status", 400)
            if status == 400:  # what was returned is no value of the objectives
                self.tell(trial, failed=str(e))
            elif status == 409:  # it ended meanwhile, by an early stop or somebody else
                trial._update(self._call("GET", "trials", trial.name))
            else:
                raise

    def _line(self, trial):
        value = trial.message if trial.value is None else self.objectives[0][0] + "=" + _short(trial.value)
        given = " ".join(name + "=" + _short(value) for name, value in trial.params.items())
        best = self.best
        found = "  best %s (%d)" % (_short(best.value), best.number) if best else ""
        return _shown("trial %d %s %s  %s%s" % (trial.number, trial.state, value, given, found))

    @property
    def best(self) -> Trial | None:
        """The best trial so far by the first objective, None while there is none."""
        message = self._call("GET").get("best")
        return Trial(self, message) if message else None

    @property
    def front(self) -> list[Trial]:
        """The Pareto front: the trials of which none is as good as another in all objectives."""
        numbers = [int(number) for number in self._call("GET")["front"]]
        by_number = {trial.number: trial for trial in self.trials()}
        return [by_number[number] for number in numbers]

    def trials(self) -> list[Trial]:
        """All trials, by number."""
        found, token = [], ""
        while True:
            query = "?pageSize=%d&pageToken=%s" % (PAGE, urllib.parse.quote(token))
            page = self._client.call("GET", self._path("trials") + query)
            found += [Trial(self, message) for message in page["trials"]]
            token = page["nextPageToken"]
            if not token:
                return found

    def importance(self) -> dict[str, float]:
        """How much of what the model expects each parameter explains, from 0 to 1, greatest first.

        Error MODEL_UNAVAILABLE with too few trials, or an algorithm that makes no model."""
        parameters = self._call("GET", "model")["model"]["outputs"][0]["parameters"]
        return dict(sorted(((p["name"], p["total"]) for p in parameters), key=lambda item: -item[1]))

    def __repr__(self):
        return "Study(%r, objectives=%r)" % (self.name, self.objectives)

    def _repr_html_(self):
        trials, best, rows = self.trials(), self.best, []
        if best:
            values = zip([metric for metric, _ in self.objectives], best.values)
            rows = [("best", "trial %d" % best.number), *values, *best.params.items()]
        cells = "".join("<tr><th>%s</th><td>%s</td></tr>" % (html.escape(name), html.escape(_short(value)))
                        for name, value in rows)
        aims = html.escape(", ".join("%s %s" % (kind, metric) for metric, kind in self.objectives))
        return "<div><b>%s</b>: %d trials, %s<br>%s<table>%s</table></div>" % (
            html.escape(self.name), len(trials), aims, _sparkline(trials, self.objectives[0][1]), cells)


def _new(params):
    """What makes a trial of one's own, once however often it is sent."""
    assignments = [{"name": name, "value": _text(value)} for name, value in params.items()]
    return {"assignments": assignments, "requestId": uuid.uuid4().hex}


def _sparkline(trials, kind, width=360, height=60):
    """A drawing of values by trial: a dot each, and the best so far as a line."""
    known = [(t.number, t.value) for t in trials if t.value is not None and math.isfinite(t.value)]
    if not known:
        return ""
    values = [value for _, value in known]
    low, high = min(values), max(values)
    across, up = (width - 8) / max(1, len(trials) - 1), (height - 8) / ((high - low) or 1)

    def at(values):
        return [(4 + (n - 1) * across, height - 4 - (v - low) * up) for (n, _), v in zip(known, values)]

    dots = "".join("<circle cx='%.1f' cy='%.1f' r='2' fill='#888'/>" % point for point in at(values))
    best = itertools.accumulate(values, min if kind == "minimize" else max)
    line = " ".join("%.1f,%.1f" % point for point in at(best))
    return "<svg width='%d' height='%d'>%s<polyline points='%s' fill='none' stroke='#06c'/></svg>" % (
        width, height, dots, line)


# --- Callbacks of training libraries


def _agreed(stop):
    """The answer of the first rank, on every rank of PyTorch's: all of them stop, or none."""
    distributed = sys.modules.get("torch.distributed")
    if not distributed or not distributed.is_available() or not distributed.is_initialized():
        return stop
    answer = [stop]
    distributed.broadcast_object_list(answer, src=0)
    return answer[0]


def _keras(self, epoch, logs=None):
    """Reports the logs of each epoch: model.fit(..., callbacks=[tuned.KerasCallback()])."""
    report(logs, step=epoch + 1)
    self.model.stop_training = should_stop() or self.model.stop_training


def _lightning(self, trainer, pl_module):
    """Reports what was logged, by epoch: Trainer(callbacks=[tuned.LightningCallback()])."""
    report(trainer.callback_metrics, step=trainer.current_epoch + 1)
    trainer.should_stop = _agreed(should_stop()) or trainer.should_stop


def _transformers(self, args, state, control, logs=None, **kwargs):
    """Reports what the Trainer logs and evaluates: Trainer(..., callbacks=[tuned.TransformersCallback()])."""
    if state.is_world_process_zero:
        report(logs, step=state.global_step)
    control.should_training_stop = _agreed(should_stop()) or control.should_training_stop


def _xgboost(self, model, epoch, evals_log):
    """Reports evals as DATA-METRIC: train(..., evals=[(d, "valid")], callbacks=[tuned.XGBoostCallback()])."""
    for data, log in evals_log.items():
        last = {data + "-" + metric: values[-1] for metric, values in log.items()}
        report({name: v[0] if isinstance(v, tuple) else v for name, v in last.items()}, step=epoch + 1)
    return should_stop()


def _lightgbm(self, env):
    """Reports valid_sets as "DATA METRIC": lightgbm.train(..., callbacks=[tuned.LightGBMCallback()])."""
    from lightgbm.callback import EarlyStopException
    results = env.evaluation_result_list or []
    report({"%s %s" % (item[0], item[1]): item[2] for item in results}, step=env.iteration + 1)
    if should_stop():
        raise EarlyStopException(env.iteration, results)


# Modules that may have the base class, its name, and the method that a callback overrides.
_CALLBACKS = {
    "KerasCallback": (["keras.callbacks"], "Callback", "on_epoch_end", _keras),
    "LightningCallback": (["lightning.pytorch.callbacks", "pytorch_lightning.callbacks"], "Callback",
                          "on_train_epoch_end", _lightning),
    "TransformersCallback": (["transformers"], "TrainerCallback", "on_log", _transformers),
    "XGBoostCallback": (["xgboost.callback"], "TrainingCallback", "after_iteration", _xgboost),
    "LightGBMCallback": (["builtins"], "object", "__call__", _lightgbm),
}
_PARAMETERS = {"float": _range("double"), "int": _range("int")}  # not by these names: Python's own are used


def __getattr__(name):
    """float, int and the callbacks; each of these is made, and its library imported, when first asked for."""
    if name in _PARAMETERS:
        return _PARAMETERS[name]
    if name not in _CALLBACKS:
        raise AttributeError("module 'tuned' has no attribute %r" % name)
    modules, base, method, act = _CALLBACKS[name]
    module = next((m for m in modules if importlib.util.find_spec(m.split(".")[0])), modules[0])
    bases = (getattr(importlib.import_module(module), base),)
    made = type(name, bases, {method: act, "__doc__": act.__doc__, "__module__": __name__})
    return globals().setdefault(name, made)


def __dir__():
    return sorted([*globals(), *_PARAMETERS, *_CALLBACKS])
