"""What a notebook does with tuned.py: ask, tell, optimize and the rest of a study, against a real daemon."""
import contextlib
import copy
import io
import itertools
import math
import os
import signal
import socket
import threading
import unittest
import unittest.mock

import rig
import tuned


class TestStudy(rig.DaemonTest):
    def test_space(self):
        """Values come in the types of the space, those of choices as they were given."""
        space = {"f": tuned.float(1e-3, 1, log=True), "q": tuned.float(0, 1, step=0.25), "i": tuned.int(1, 9, step=2),
                 "k": tuned.choice([16, 32.5]), "c": tuned.choice(["a", "b"]), "b": tuned.choice([True, False]),
                 "m": tuned.float(0, 1, when=("c", "a"))}
        study = self.study("space", space=space, seed=7)
        for trial in study.ask(n=12):
            self.assertIs(type(trial["f"]), float)
            self.assertIn(trial["q"], (0, 0.25, 0.5, 0.75, 1))
            self.assertIn(trial["i"], (1, 3, 5, 7, 9))
            self.assertIs(type(trial["i"]), int)
            self.assertIn(trial["k"], (16, 32.5))
            self.assertIn(trial["b"], (True, False))
            self.assertEqual("m" in trial.params, trial["c"] == "a")
        joined = tuned.study("space", server=self.daemon.server).trials()
        self.assertEqual([t["f"] for t in joined], [t["f"] for t in study.trials()])
        self.assertIs(type(joined[0]["i"]), int)

    def test_seed(self):
        """The same seed asks for the same points."""
        points = [[t.params for t in self.study("seed-%d" % i, seed=5).ask(n=5)] for i in range(2)]
        self.assertEqual(points[0], points[1])

    def test_tell(self):
        study = self.study("tell", objective=[("loss", "minimize"), ("acc", "maximize")])
        a, b, c, d, e, f = study.ask(n=6)
        self.assertEqual(study.tell(a, [0.5, 0.9]).values, [0.5, 0.9])
        self.assertEqual(study.tell(b.number, {"loss": 0.25, "acc": 0.5}).value, 0.25)
        self.assertEqual(study.tell(c.name, failed="out of memory").state, "Failed")
        self.assertEqual(study.tell(d, (float("nan"), 1)).values, [])
        self.assertTrue(math.isinf(study.tell(e, (float("-inf"), 1)).metrics["loss"]))
        self.assertEqual(study.tell(a, [0.5, 0.9]).value, 0.5)  # again
        with self.assertRaises(tuned.Error) as caught:
            study.tell(a, [0.1, 0.9])
        self.assertEqual(caught.exception.code, "RESULT_DIFFERS")
        with self.assertRaises(tuned.Error):
            study.tell(f, {"other": 1})
        self.assertEqual(study.best.number, b.number)

    def test_number_of_values(self):
        """As many values as objectives are told, and no value with a failure."""
        study = self.study("values")
        study.optimize(lambda trial: (5, 7), n_trials=1, quiet=True)
        trial = study.trials()[0]
        self.assertEqual((trial.state, trial.message), ("Failed", "study values: 2 values given for 1 objectives (loss)"))
        trial = study.ask()
        for given in ({"value": (5, 7)}, {"value": []}, {"value": 1, "failed": "no"}):
            with self.assertRaises(ValueError):
                study.tell(trial, **given)
        self.assertEqual(study.tell(trial, [5]).value, 5)

    def test_typed_choices(self):
        """Choices keep their types where a study is joined by name alone."""
        choices = ["a", 1, True, None]
        made = self.study("typed", space={"c": tuned.choice(choices)})
        for value in choices:
            made.tell(params={"c": value}, value=1)
        self.study("typed", space={"c": tuned.choice(choices)})  # joins with the definition too
        joined = tuned.study("typed", server=self.daemon.server)
        self.assertEqual([t["c"] for t in joined.trials()], choices)
        self.assertEqual([type(t["c"]) for t in joined.trials()], [type(value) for value in choices])

    def test_wrong_arguments(self):
        """What is wrong is said, and what is wanted, before the daemon is asked."""
        good = {"space": {"x": tuned.float(0, 1)}, "objective": ("loss", "minimize"), "server": self.daemon.server}
        for wrong, kind, says in (
                ({"space": {"x": 3}}, TypeError, r"space\['x'\]: want tuned.float"), ({"space": [1]}, TypeError, "space: want a dict"),
                ({"objective": "l"}, ValueError, "want objective="), ({"objective": []}, ValueError, "want objective="),
                ({"objective": ("loss", "least")}, ValueError, "want objective="), ({"max_trials": "x"}, TypeError, "whole number of at least 1, got 'x'"),
                ({"maxtrials": 3}, TypeError, "no argument maxtrials; did you mean max_trials"), ({"colour": 3}, TypeError, "no argument colour; there are name, space, objective"),
                ({"max_trials": 0}, ValueError, "max_trials: want a whole number of at least 1, got 0"), ({"max_trials": True}, TypeError, "at least 1, got True"),
                ({"server": "ftp://foo"}, ValueError, "server 'ftp://foo': want http://HOST:PORT, https://HOST:PORT or unix:PATH"),
                ({"server": "localhost:8080/x"}, ValueError, "want http://HOST:PORT"),
                ({"token_file": "/nowhere/token"}, tuned.Error, "token_file /nowhere/token: No such file or directory"),
                ({"server": None, "data_dir": "/nowhere/at/all"}, ValueError, "data_dir /nowhere/at/all: there is no such folder")):
            with self.subTest(wrong), self.assertRaisesRegex(kind, says):
                tuned.study("wrong", **dict(good, **wrong))
        with self.assertRaisesRegex(tuned.Error, r"spec\.parameters\[0\]") as caught:
            tuned.study("wrong", **dict(good, space={"x": tuned.float(1, 0)}))
        self.assertNotRegex(str(caught.exception), r"\d:\d")

    def test_wrong_calls(self):
        """Nothing is asked for by a call that cannot be."""
        study = self.study("calls")
        with self.assertRaisesRegex(TypeError, "optimize: want a function of a trial.*got 3"):
            study.optimize(3)
        for n_trials, kind in ((-1, ValueError), (1.5, TypeError), ("2", TypeError)):
            with self.assertRaisesRegex(kind, "optimize: n_trials: want a whole number of at least 0, got %r" % (n_trials,)):
                study.optimize(print, n_trials=n_trials)
        with self.assertRaisesRegex(TypeError, "choice: want a list of values"):
            tuned.choice("sgd")
        with self.assertRaisesRegex(tuned.Error, "not found; space and objective make it") as caught:
            tuned.study("absent", server=self.daemon.server)
        self.assertEqual(caught.exception.code, "EXPERIMENT_NOT_FOUND")
        for n in (0, -1, "two", 1.5):
            with self.assertRaisesRegex(ValueError, "ask: n: want a whole number of at least 1"):
                study.ask(n=n)
        self.assertEqual(study.trials(), [])
        trial = study.ask()
        with self.assertRaisesRegex(AttributeError, "a trial has no suggest_float; its parameters are trial"):
            trial.suggest_float("x", 0, 1)
        with self.assertRaisesRegex(TypeError, r"want report\(loss=0\.3\).*got 'loss'"):
            trial.report("loss", 3)
        self.assertEqual(copy.copy(trial).params, trial.params)

    def test_server_and_token(self):
        """A server without scheme is one of http; tokens are taken without the white space around them."""
        file = os.path.join(self.daemon.dir, "token-of-test")
        with open(file, "w") as out:
            out.write("  secret \r\n")
        for env, given in (({"TUNED_TOKEN": " secret\n", "TUNED_TOKEN_FILE": "/nowhere"}, {}), ({"TUNED_TOKEN_FILE": file}, {}),
                           ({"TUNED_TOKEN": " \n", "TUNED_TOKEN_FILE": file}, {}), ({}, {"token": "\tsecret "}), ({}, {"token_file": file})):
            clean = {k: v for k, v in os.environ.items() if not k.startswith("TUNED_")}
            with self.subTest(env=env, given=given), unittest.mock.patch.dict(os.environ, dict(clean, **env), clear=True):
                client = tuned.Client("127.0.0.1:8431", **given)
                self.assertEqual(client._headers()["Authorization"], "Bearer secret")
                self.assertEqual((client.server, client._connection().port), ("http://127.0.0.1:8431", 8431))

    def test_plain_port(self):
        """https to a port that speaks no TLS says so, and http to one that does."""
        def answers(text):
            server = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(server.close)
            def serve():
                conn, _ = server.accept()
                with conn:
                    conn.recv(4096)
                    conn.sendall(text)
            threading.Thread(target=serve, daemon=True).start()
            return "127.0.0.1:%d" % server.getsockname()[1]
        refusal = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"  # of Go's net/http
        for scheme, says in (("https://", "speaks no TLS: use http://"), ("http://", "speaks TLS: use https://")):
            with self.assertRaisesRegex(tuned.Error, says):
                tuned.Client(scheme + answers(refusal), token="x").call("GET", "/api/v1/version", wait=0)

    def test_line_drives_no_terminal(self):
        """What an objective raises is printed without what a terminal obeys, in one line."""
        def fails(trial):
            raise RuntimeError("red \x1b[31m\nnext")
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertLogs("tuned", "WARNING"):
            self.study("red", max_trials=1).optimize(fails)
        self.assertIn(r"red \x1b[31m\nnext", out.getvalue())
        self.assertEqual(out.getvalue().count("\n"), 1)

    def test_told_and_enqueued(self):
        study = self.study("told")
        self.assertEqual(study.tell(params={"x": 0.125}, value=0.5).params, {"x": 0.125})
        self.assertEqual(study.enqueue({"x": 1e-5}).state, "Pending")
        self.assertEqual(study.ask()["x"], 1e-5)
        with self.assertRaises(tuned.Error) as caught:
            study.enqueue({"x": 2})
        self.assertEqual(caught.exception.code, "PARAMETERS_INVALID")
        self.assertEqual((study.best.value, study.best["x"]), (0.5, 0.125))

    def test_value_is_what_was_told(self):
        """Reports on the way are a curve: the value told counts, not the best one on the way."""
        study = self.study("curve")
        trial = study.ask()
        trial.report(step=1, loss=0.1)
        trial.report({"loss": 0.2}, step=2)
        self.assertFalse(trial.should_stop())
        self.assertEqual(study.tell(trial, 0.3).value, 0.3)
        self.assertTrue(trial.should_stop() or study.trials()[0].should_stop())
        self.assertEqual([m[0] for m in self.measurements(trial)], [1, 2, 0])
        both = self.study("curves", objective=[("loss", "minimize"), ("acc", "maximize")])
        told, pruned = both.ask(n=2)
        for trial in told, pruned:
            trial.report(step=1, loss=0.1, acc=0.9)
            trial.report(step=2, loss=0.2, acc=0.8)
        self.assertEqual(both.tell(told, (0.3, 0.7)).values, [0.3, 0.7])
        self.assertEqual(both.tell(pruned).values, [0.2, 0.8])

    def test_value_of_an_experiment_made_otherwise(self):
        """Its own strategy counts, here the default: the least of all."""
        client = tuned.Client(self.daemon.server)
        client.call("POST", tuned._path("default"), dict(rig.manifest("by-yaml", "", maxTrialCount=3), local={}))
        study = tuned.study("by-yaml", server=self.daemon.server)
        trial = study.ask()
        trial.report(step=1, loss=0.1)
        self.assertEqual(study.tell(trial, 0.3).value, 0.1)

    def test_optimize(self):
        study = self.study("optimize", max_trials=8)

        def objective(trial):
            if trial.number == 2:
                raise ValueError("no <b>luck</b>")
            if trial.number == 3:
                trial.report(step=1, loss=0.75)
                raise tuned.TrialPruned()
            if trial.number == 4:
                raise tuned.TrialPruned("early")
            if trial.number == 5:
                return None
            return {"loss": trial["x"] + 1}

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), self.assertLogs("tuned"):
            best = study.optimize(objective, n_trials=6)
        lines = printed.getvalue().splitlines()
        trials = study.trials()
        self.assertEqual([t.state for t in trials], ["Succeeded", "Failed", "Succeeded", "Failed", "Failed", "Succeeded"])
        self.assertEqual([t.message for t in trials[1:5:2]] + [trials[4].message],
                         ["ValueError: no <b>luck</b>", "pruned without a report: early", "the objective returned None"])
        self.assertEqual((trials[2].value, best.value, best.number), (0.75, 0.75, 3))
        self.assertEqual(len(lines), 6)
        self.assertIn("no <b>luck</b>", lines[1])
        self.assertIn("best 0.75 (3)", lines[5])
        self.assertEqual(study.optimize(objective, quiet=True).number, 3)  # the two that are left
        with self.assertRaises(tuned.StudyEnded):
            study.ask()

    def test_results_that_are_none(self):
        """What an objective returns, and the daemon cannot take, is that trial's failure."""
        study = self.study("odd")
        results = iter(["text", [None], {"other": 1}, {"loss": float("nan")}, True])
        with self.assertLogs("tuned"):
            tuned._warned.clear()
            study.optimize(lambda trial: next(results), n_trials=5, quiet=True)
        trials = study.trials()
        self.assertEqual([t.state for t in trials], ["Failed"] * 3 + ["Succeeded"] * 2)
        self.assertIn("no value of", trials[2].message)
        self.assertEqual(study.best.value, 1)

    def test_jobs(self):
        """Several threads evaluate at the same time, each trial once, also with fewer places than threads."""
        study, seen, together = self.study("jobs", parallel=3), [], threading.Barrier(3)

        def objective(trial):
            seen.append(trial.number)
            if len(seen) <= 3:
                together.wait(30)
            return trial["x"]

        study.optimize(objective, n_trials=12, n_jobs=4, quiet=True)
        self.assertEqual(sorted(seen), list(range(1, 13)))
        self.assertEqual({t.state for t in study.trials()}, {"Succeeded"})

    def test_interrupt(self):
        """Ctrl-C ends optimize: what was out is stopped and no failure, what was told stays."""
        for jobs in (1, 2):
            study = self.study("interrupt-%d" % jobs)
            process = rig.begin("""if True:
                import sys, time, tuned
                study = tuned.study(sys.argv[1], server=sys.argv[2])
                def objective(trial):
                    if trial.number >= 3:
                        print("out\\n", end="", flush=True)
                        until = time.time() + 60
                        while time.time() < until and not trial.should_stop():
                            time.sleep(0.01)
                    return trial["x"]
                study.optimize(objective, n_jobs=int(sys.argv[3]), quiet=True)
            """, dict(os.environ, PYTHONPATH=rig.PYTHON), study.name, self.daemon.server, str(jobs))
            self.assertEqual(process.stdout.readline(), "out\n")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate()
            self.assertIn("KeyboardInterrupt", err)
            trials = study.trials()
            self.assertEqual([t.state for t in trials[:2]], ["Succeeded"] * 2)
            self.assertEqual({t.state for t in trials[2:]}, {"Killed"} if jobs == 1 else {"Succeeded"}, trials)

    def test_early_stop(self):
        """A trial that somebody stops meanwhile ends as the daemon has it, and optimize goes on."""
        study = self.study("stopped-trial")

        def objective(trial):
            trial.report(step=1, loss=0.5)
            if trial.number == 1:
                study._call("POST", "trials", trial.name, "stop")
                trial.report(step=2, loss=0.4)
                self.assertTrue(trial.should_stop())
                raise tuned.TrialPruned()
            return 0.6

        study.optimize(objective, n_trials=2, quiet=True)
        first, second = study.trials()
        self.assertEqual(first.state, "EarlyStopped")
        self.assertEqual((second.state, study.best.number), ("Succeeded", 1))

    def test_join(self):
        """A study is joined by its name; more trials extend it, another space is refused."""
        self.study("join", max_trials=2).optimize(lambda t: t["x"], quiet=True)
        longer = self.study("join", max_trials=4)
        longer.optimize(lambda t: t["x"], quiet=True)
        self.assertEqual(len(longer.trials()), 4)
        with self.assertRaisesRegex(tuned.Error, "spec.parameters") as caught:
            self.study("join", space={"y": tuned.float(0, 1)})
        self.assertEqual(caught.exception.code, "EXPERIMENT_EXISTS")
        with self.assertRaises(tuned.Error) as caught:
            tuned.study("nobody", server=self.daemon.server)
        self.assertEqual(caught.exception.code, "EXPERIMENT_NOT_FOUND")
        with self.assertRaisesRegex(tuned.Unreachable, "tuned serve"):
            tuned.study("x", server="unix:/nowhere/tuned.sock")

    def test_join_only_raises(self):
        """A smaller max_trials leaves the budget as it is and says so; no budget asks for nothing."""
        self.study("raise", max_trials=12)
        with self.assertLogs("tuned", "WARNING") as logged:
            joined = self.study("raise", max_trials=5)
        self.assertIn("max_trials stays 12, more than the 5 given", logged.output[0])
        self.assertEqual(self.budget(joined), (12, 12))
        self.assertEqual(self.budget(self.study("raise")), (12, 12))
        self.assertEqual(self.budget(self.study("raise", max_trials=100)), (100, 64))
        unlimited = self.study("unlimited")
        with self.assertLogs("tuned", "WARNING") as logged:
            self.study("unlimited", max_trials=5)
        self.assertIn("max_trials stays unlimited", logged.output[0])
        self.assertEqual(self.budget(unlimited), (None, 64))

    def test_join_while_the_budget_changes(self):
        """Others change the budget between any two calls of a process that joins."""
        self.study("moving", max_trials=12)
        call = tuned.Client.call
        for method, last, budgets in (("GET", "moving", [13, 14, 15, 16, 17]), ("POST", "extend", [50, 60])):
            others = iter(budgets)

            def moved(client, *given, **more):
                answer = call(client, *given, **more)
                if given[0] == method and given[1].endswith("/" + last):
                    for budget in itertools.islice(others, 1):
                        call(client, "POST", tuned._path("default", "moving", "extend"), {"budget": {"maxTrials": budget, "parallelTrials": 12}})
                return answer

            want = 100 if last == "extend" else 16
            with self.subTest(last), unittest.mock.patch.object(tuned.Client, "call", moved):
                self.assertEqual(self.budget(self.study("moving", max_trials=want))[0], max(want, budgets[-1]))
                self.assertEqual(list(others), [])

    def test_join_at_once(self):
        """Many processes join at once, each with a budget of its own: none fails, and the largest one counts."""
        code = """if True:
            import sys, tuned
            sys.stdin.readline()
            tuned.study("at-once", {"x": tuned.float(0, 1)}, ("loss", "minimize"), "random", int(sys.argv[1]), server=sys.argv[2])
        """
        env = dict(os.environ, PYTHONPATH=rig.PYTHON)
        started = [rig.begin(code, env, str(n), self.daemon.server) for n in range(8, 32, 4)]
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in started:
            _, err = process.communicate()
            self.assertEqual(process.returncode, 0, err)
        self.assertEqual(self.budget(tuned.study("at-once", server=self.daemon.server)), (28, 28))

    def budget(self, study):
        """max_trials and how many may be out at once, of a study."""
        spec = study._call("GET")["object"]["spec"]
        return spec.get("maxTrialCount"), spec["parallelTrialCount"]

    def test_pages(self):
        study = self.study("pages")
        for i in range(3):
            study.tell(params={"x": i / 4}, value=i)
        with unittest.mock.patch.object(tuned, "PAGE", 2):
            self.assertEqual([t.value for t in study.trials()], [0, 1, 2])

    def test_importance(self):
        study = self.study("model", space={"x": tuned.float(0, 1), "y": tuned.float(0, 1)}, algorithm="bayesianoptimization", seed=1)
        with self.assertRaises(tuned.Error) as caught:
            study.importance()
        self.assertEqual(caught.exception.code, "MODEL_UNAVAILABLE")
        study.optimize(lambda t: (t["y"] - 0.3) ** 2 + 1e-3 * t["x"], n_trials=15, quiet=True)
        self.assertEqual(list(study.importance()), ["y", "x"])

    def test_html(self):
        study = self.study("html", space={"x": tuned.choice(["<script>", "&"])})
        self.assertNotIn("<svg", study._repr_html_())
        study.optimize(lambda t: t.number, n_trials=3, quiet=True)
        study.tell(study.ask(), float("nan"))
        text = study._repr_html_()
        self.assertEqual(text.count("<circle"), 3)
        self.assertIn("&lt;script&gt;" if study.best["x"] != "&" else "&amp;", text)
        self.assertNotIn("<script>", text)

    def test_lost_answers(self):
        """Each call whose answer is lost is made again, and does nothing twice."""
        proxy = rig.LossyProxy(self.daemon.socket, os.path.join(self.daemon.dir, "lossy"))
        self.addCleanup(proxy.close)
        study = self.study("lossy", server=proxy.server)
        study.enqueue({"x": 0.5})
        study.tell(params={"x": 0.25}, value=1)
        for trial in study.ask(n=3):
            trial.report(step=1, loss=2)
            trial.report(step=2, loss=2)
            study.tell(trial, 3)
        self.assertGreater(proxy.lost, 10)
        trials = study.trials()
        self.assertEqual([t.state for t in trials], ["Succeeded"] * 4)
        self.assertEqual([len(self.measurements(t)) for t in trials], [3, 1, 3, 3])

    def test_restart(self):
        """The daemon is killed and started while optimize runs: every trial is told once."""
        daemon = rig.Daemon()
        self.addCleanup(daemon.close)
        study, told = self.study("restart", server=daemon.server), []

        def objective(trial):
            if trial.number in (4, 8):
                daemon.kill()
                threading.Timer(0.3, daemon.start).start()
            told.append(trial["x"])
            return trial["x"]

        study.optimize(objective, n_trials=12, quiet=True)
        self.assertEqual([t["x"] for t in study.trials()], told)
        self.assertEqual([t.value for t in study.trials()], told)


if __name__ == "__main__":
    unittest.main()
