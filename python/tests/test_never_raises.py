"""Whatever happens, training goes on: report, should_stop and params neither raise nor hang, and little is lost."""
import json
import os
import re
import signal
import tempfile
import unittest
import unittest.mock

import rig
import tuned

SCRIPT = """if True:
    import tuned
    for step in range(1, 4):
        tuned.report(step=step, loss=step)
    print(tuned.should_stop())
"""
PRINTED = "step=1 loss=1.0\nstep=2 loss=2.0\nstep=3 loss=3.0\n"


class TestImpostors(unittest.TestCase):
    """What listens is no daemon, or one in a bad state."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TUNED_")}
        self.env = dict(clean, PYTHONPATH=rig.PYTHON, TUNED_EXPERIMENT="e", TUNED_TRIAL="t", TUNED_SERVER="unix:" + self.path("no"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def impostor(self, name, answer):
        made = rig.Impostor(self.path(name), answer)
        self.addCleanup(made.close)
        return made

    def test_answers(self):
        """One warning says what is wrong; what waits is printed at the end, what was refused is not."""
        table = (
            ("bytes", b"\x00\xff garbage\r\n\r\n", "no daemon answers", PRINTED),
            ("closes", b"", "no daemon answers", PRINTED),
            ("cut", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "no daemon answers", PRINTED),
            ("hangs", None, "cannot be stored: they are printed", PRINTED),
            ("busy", rig.answer(503, b"<html>busy</html>"), "answers 503, and no JSON", PRINTED),
            ("token", rig.answer(401, b'{"code": "UNAUTHENTICATED", "message": "needs a token"}'), "needs a token", PRINTED),
            ("page", rig.answer(200, b"<html>hello</html>"), "no JSON: is it tuned serve?", ""),
            ("list", rig.answer(200, b"[1]"), "no JSON: is it tuned serve?", ""),
            ("deep", rig.answer(200, b"[" * 100000), "no JSON: is it tuned serve?", ""),
            ("other", rig.answer(200, b'{"hello": 1}'), "KeyError: 'ackedSeq'", ""),
            ("fault", rig.answer(500, b'{"message": 7}'), "reports are dropped: Error: 7", ""))
        started = [rig.begin(SCRIPT, dict(self.env, TUNED_SERVER=self.impostor(name, answer).server)) for name, answer, _, _ in table]
        for process, (name, _, says, printed) in zip(started, table):
            with self.subTest(name):
                out, err = process.communicate()
                self.assertEqual((process.returncode, out), (0, "False\n" + printed), err)
                self.assertEqual((err.count("tuned: "), says in err), (1, True), err)

    def test_settings(self):
        """What the environment says may be nonsense."""
        table = ({"TUNED_SERVER": "ftp://x"}, {"TUNED_SERVER": "http://127.0.0.1:port"}, {"TUNED_SERVER": "http://[::1"},
                 {"TUNED_SERVER": "https://127.0.0.1:1", "TUNED_CA_FILE": "/nowhere"},
                 {"TUNED_TOKEN_FILE": "/nowhere"}, {"TUNED_EXPERIMENT": "/"},
                 {"TUNED_REPORT_FILE": "/nowhere"}, {"RANK": "\u00b2"}, {"TUNED_PARAMS": "["}, {"TUNED_PARAMS_FILE": "/"})
        script = SCRIPT + "    assert tuned.params(x=1) == {'x': 1}"
        for process, more in zip([rig.begin(script, dict(self.env, **more)) for more in table], table):
            with self.subTest(more):
                out, err = process.communicate()
                self.assertEqual((process.returncode, sorted(out.splitlines())), (0, sorted(("False\n" + PRINTED).splitlines())), err)

    def test_batches(self):
        """Points go together: the first at once, then those of a second, or a hundred and more."""
        def acknowledge(request):
            sent = json.loads(request.partition(b"\r\n\r\n")[2] or b"{}").get("measurements", [])
            acked.extend(m["seq"] for m in sent)
            return rig.answer(200, json.dumps({"ackedSeq": str(len(acked)), "shouldStop": False}).encode())

        for name, reports, pause in (("fast", 1000, 0), ("slow", 150, 0.01)):
            acked = []
            impostor = self.impostor(name, acknowledge)
            code, out, err = rig.run("""if True:
                import sys, time, tuned
                begin = time.monotonic()
                for i in range(%d):
                    tuned.report(a=i, b=i, c=i)
                    time.sleep(%g)
                print(time.monotonic() - begin)
            """ % (reports, pause), dict(self.env, TUNED_SERVER=impostor.server))
            self.assertEqual((code, acked), (0, list(range(1, 3 * reports + 1))), err)
            # The number to begin with, the first points, each hundred, each second, and the last.
            self.assertLess(len(impostor.requests), 3 + 3 * reports / 100 + float(out) + 1)

    def test_token(self):
        """Of a token that no header takes as it is, what can be sent is sent; it is shown nowhere."""
        impostor = self.impostor("token", rig.answer(401, b'{"message": "needs a token"}'))
        code, _, err = rig.run(SCRIPT, dict(self.env, TUNED_SERVER=impostor.server, TUNED_TOKEN="sec\nret\u20ac"))
        self.assertEqual(code, 0, err)
        self.assertIn(b"Authorization: Bearer secret\r\n", impostor.requests[0])
        self.assertNotIn("ret", err)

    def test_full_disk(self):
        code, out, err = rig.run(SCRIPT, dict(self.env, TUNED_REPORT_FILE="/dev/full"))
        self.assertEqual((code, out), (0, "False\n" + PRINTED), err)
        self.assertEqual(err.count("No space left"), 1, err)

    def test_study(self):
        """A certificate that nobody trusts, an address that is none, and other faults are errors of a study at once."""
        page = self.impostor("page", rig.answer(200, b"<html></html>"))
        with self.assertRaisesRegex(tuned.Error, "is it tuned serve") as caught:
            tuned.study("x", server=page.server)
        self.assertNotIsInstance(caught.exception, tuned.Unreachable)
        for path, why in (("/nowhere/ca.pem", "No such file or directory"), (__file__, "no certificate as PEM"), ("/", "Is a directory")):
            with self.subTest(path), unittest.mock.patch.dict(os.environ, TUNED_CA_FILE=path):
                with self.assertRaisesRegex(ValueError, "^TUNED_CA_FILE %s: %s; " % (re.escape(path), why)):
                    tuned.study("x", server="https://127.0.0.1:1")


class TestEnds(rig.DaemonTest):
    """However the program ends, what it reported comes."""

    def test_ends(self):
        script = "import atexit, os, signal, sys, threading, time, tuned\ntuned.report(step=1, loss=1)\ntuned.report(step=2, loss=2)\n"
        for name, end, code in (
                ("exit", "sys.exit(3)", 3), ("raise", "raise SystemError", 1), ("thread", "threading.Thread(target=sys.exit).start()", 0),
                ("sigterm", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -signal.SIGTERM),
                ("interrupt", "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -signal.SIGINT)):
            with self.subTest(name):
                trial = self.study("end-" + name).ask()
                got, out, err = rig.run(script + end, self.daemon.env(trial))
                self.assertEqual((got, out), (code, ""), err)
                self.assertEqual(self.measurements(trial), [(1, "loss", "1.0"), (2, "loss", "2.0")])

    def test_own_handler(self):
        """A program's own handler of SIGTERM stays, and children do not inherit ours."""
        for before, after in (("signal.signal(signal.SIGTERM, own)", ""), ("", "signal.signal(signal.SIGTERM, own)")):
            trial = self.study("own-%d" % len(before)).ask()
            code, out, err = rig.run("""if True:
                import os, signal, sys, tuned
                own = lambda *_: sys.exit(5)
                %s
                tuned.report(loss=1)
                if not os.fork():
                    os._exit(signal.getsignal(signal.SIGTERM) not in (own, signal.SIG_DFL))
                assert os.wait()[1] == 0
                %s
                os.kill(os.getpid(), signal.SIGTERM)
            """ % (before, after), self.daemon.env(trial))
            self.assertEqual((code, out), (5, ""), err)
            self.assertEqual(len(self.measurements(trial)), 1)

    def test_at_exit(self):
        """Reports of functions that run at the end come too; where no thread can start any more they are printed."""
        for first in ("tuned.report(step=1, loss=1)", ""):
            trial = self.study("atexit-%d" % len(first)).ask()
            code, out, err = rig.run("import atexit, tuned\n%s\natexit.register(tuned.report, step=2, loss=2)" % first, self.daemon.env(trial))
            self.assertEqual(code, 0, err)
            stored = [m[0] for m in self.measurements(trial)]
            self.assertEqual(stored + [2] * out.count("step=2 loss=2.0\n"), [1, 2] if first else [2], err)

    def test_signal_handlers(self):
        """A handler may report while the main thread does: nothing locks up, and each point is stored once."""
        script = """if True:
            import itertools, signal, tuned
            def tick(*_):
                step = next(ticks)
                tuned.report(step=step, tick=step)
                tuned.should_stop()
            ticks = itertools.count(1)
            signal.signal(signal.SIGALRM, tick)
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
            for step in range(1, 3001):
                tuned.report(step=step, loss=step)
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(next(ticks) - 1)
        """
        for kind in ("sent", "file"):
            trial = self.study("signals-" + kind).ask()
            env, path = self.daemon.env(trial), os.path.join(self.daemon.dir, kind)
            open(path, "w").close()
            code, out, err = rig.run(script, dict(env, TUNED_REPORT_FILE=path) if kind == "file" else env)
            self.assertEqual(code, 0, err)
            with open(path) as file:
                lines = [json.loads(line) for line in file if line.strip()]
            found = self.measurements(trial) if kind == "sent" else [(m["step"], m["metric"], m["text"]) for m in lines]
            for metric, count in (("loss", 3000), ("tick", int(out))):
                self.assertEqual(sorted(m[0] for m in found if m[1] == metric), list(range(1, count + 1)), err)
            self.assertGreater(int(out), 0)

    def test_odd_reports(self):
        """What cannot be a point is left out and said once; what is beside it comes."""
        trial = self.study("odd").ask()
        code, out, err = rig.run("""if True:
            import decimal, tuned
            class Odd:
                def __float__(self): raise KeyError("no float")
                __repr__ = __str__ = __float__
            tuned.report({"": 1, 5: 2, "a\\nb": 3, "\\ud800": 4, "x" * 3000: 5, None: True}, step=1)
            tuned.report({"odd": Odd(), "none": None, "big": 10 ** 400, "complex": 1j, "text": "no", "fine": decimal.Decimal("0.5")}, step=2)
            for step in (2 ** 63, -2 ** 70, float("nan"), float("inf"), "x", [], Odd(), object()):
                tuned.report(step=step, loss=1)
            for metrics in (7, [1, 2], {Odd(): 1}, "abc"):
                tuned.report(metrics, step=4)
            tuned.report(step=5.9, loss=1)
        """, self.daemon.env(trial))
        self.assertEqual((code, out), (0, ""), err)
        self.assertEqual(self.measurements(trial), [
            (1, "", "1.0"), (1, "5", "2.0"), (1, "a\nb", "3.0"), (1, "?", "4.0"), (1, "x" * 3000, "5.0"), (1, "None", "1.0"),
            (2, "fine", "0.5"), (0, "loss", "1.0"), (5, "loss", "1.0")])
        self.assertEqual((err.count("is left out"), err.count("is not stored")), (1, 1), err)

    def test_file_that_is_full(self):
        """What a full disk keeps out is written when there is room, each point once."""
        script = """if True:
            import resource, tuned
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            tuned.report(step=1, loss=1)
            resource.setrlimit(resource.RLIMIT_FSIZE, (250, limits[1]))
            for step in range(2, 10):
                tuned.report(step=step, loss=step)
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            tuned.report(step=10, loss=10)
        """
        client = tuned.Client(self.daemon.server)
        manifest = rig.manifest("full", script, maxTrialCount=1, parallelTrialCount=1, metricsCollectorSpec={"collector": {"kind": "Push"}})
        client.call("POST", tuned._path("default"), manifest)
        self.until(lambda: client.call("GET", tuned._path("default", "full"))["settled"])
        trial = tuned.study("full", server=self.daemon.server).trials()[0]
        self.assertEqual(trial.state, "Succeeded", trial.message)
        self.assertEqual([m[0] for m in self.measurements(trial)], list(range(1, 11)))


if __name__ == "__main__":
    unittest.main()
