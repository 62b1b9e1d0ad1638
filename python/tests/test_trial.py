"""What a trial does with tuned.py: params, report and should_stop, against a real daemon."""
import json
import os
import subprocess
import sys
import unittest
import unittest.mock

import rig
import tuned


class TestReport(rig.DaemonTest):
    def test_trial_of_the_daemon(self):
        """A trial that the daemon runs itself reports under its own token, and its flush at the end is in time."""
        script = ("import tuned; p = tuned.params(kind='?'); tuned.report(step=1, loss=9); "
                  "tuned.report(step=2, loss=p['x'] + p['units']); assert p['kind'] in 'ab', p")
        client = tuned.Client(self.daemon.server)
        for collector in ("Push", "StdOut"):
            name = "daemon-" + collector.lower()
            client.call("POST", tuned._path("default"), rig.manifest(name, script, metricsCollectorSpec={"collector": {"kind": collector}}))
            self.until(lambda: client.call("GET", tuned._path("default", name))["settled"])
            trials = tuned.study(name, server=self.daemon.server).trials()
            self.assertEqual([t.state for t in trials], ["Succeeded"] * 2, trials)
            for trial in trials:
                self.assertAlmostEqual(trial.value, trial["x"] + trial["units"], places=12)
                self.assertEqual([m[:2] for m in self.measurements(trial)], [(1, "loss"), (2, "loss")])

    def test_checkpoints(self):
        """Trials of more epochs go on from the checkpoints of their parents, and are told whose they are."""
        script = """if True:
            import os, tuned
            p, path, epoch = tuned.params(), os.path.join(tuned.checkpoint_dir(), "epoch"), 0
            if os.path.exists(path):
                epoch = int(open(path).read())
            tuned.report(loss=p["x"], found=epoch)
            with open(path, "w") as file:
                file.write(str(p["epochs"]))
            """
        client = tuned.Client(self.daemon.server)
        space = [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}},
                 {"name": "epochs", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}}]
        client.call("POST", tuned._path("default"), rig.manifest(
            "checkpoints", script, maxTrialCount=12, parameters=space, metricsCollectorSpec={"collector": {"kind": "Push"}},
            objective={"type": "minimize", "objectiveMetricName": "loss", "additionalMetricNames": ["found"]},
            algorithm={"algorithmName": "asha", "algorithmSettings": [{"name": "resource_name", "value": "epochs"}]}))
        self.until(lambda: client.call("GET", tuned._path("default", "checkpoints"))["settled"])
        trials = {t.number: t for t in tuned.study("checkpoints", server=self.daemon.server).trials()}
        self.assertTrue(any(t.parent for t in trials.values()), trials)
        for trial in trials.values():
            found = trials[trial.parent]["epochs"] if trial.parent else 0
            self.assertEqual((trial.state, trial.metrics["found"]), ("Succeeded", found), trial)

    def test_daemon_away_at_the_end(self):
        """What a trial of the daemon reports is kept though the daemon is away when it ends, or it is killed."""
        for end in ("", "os.kill(os.getpid(), 9)"):
            daemon = rig.Daemon()
            self.addCleanup(daemon.close)
            go = os.path.join(daemon.dir, "go")
            script = """if True:
                import os, time, tuned
                tuned.report(step=1, loss=9)
                open(%r + ".at", "w").close()
                while not os.path.exists(%r): time.sleep(0.01)
                tuned.report({"val/loss": float("nan")}, step=2)
                tuned.report(step=3, loss=0.19)
                open(%r + ".done", "w").close()
                %s
            """ % (go, go, go, end)
            client = tuned.Client(daemon.server)
            manifest = rig.manifest("away", script, maxTrialCount=1, parallelTrialCount=1, metricsCollectorSpec={"collector": {"kind": "Push"}})
            client.call("POST", tuned._path("default"), manifest)
            self.until(lambda: os.path.exists(go + ".at"))
            daemon.kill()
            open(go, "w").close()
            self.until(lambda: os.path.exists(go + ".done"))
            daemon.start()
            self.until(lambda: client.call("GET", tuned._path("default", "away"))["settled"])
            trial = tuned.study("away", server=daemon.server).trials()[0]
            self.assertEqual(trial.state, "Failed" if end else "Succeeded", trial.message)
            self.assertEqual(self.measurements(trial), [(1, "loss", "9.0"), (2, "val/loss", "nan"), (3, "loss", "0.19")])

    def test_values(self):
        trial = self.study("values").ask()
        code, out, err = rig.run("""if True:
            import tuned, fractions
            tuned.report(step=1, loss=float("nan"), up=float("inf"), down=-float("inf"))
            tuned.report({"val/loss": 0.1}, step=2)
            tuned.report(loss=fractions.Fraction(1, 4))
            tuned.report(step=4, loss="no number", fine=1)
            tuned.report(step=5, loss=[1, 2])
            tuned.report(step="five", loss=1)
        """, self.daemon.env(trial))
        self.assertEqual((code, out), (0, ""), err)
        self.assertEqual(self.measurements(trial), [
            (1, "loss", "nan"), (1, "up", "inf"), (1, "down", "-inf"), (2, "val/loss", "0.1"), (0, "loss", "0.25"), (4, "fine", "1.0")])
        self.assertEqual(err.count("is no number"), 1, err)

    def test_kill_and_restart(self):
        """1,000 reports are stored in their order, each once, though the daemon is killed while they come."""
        daemon = rig.Daemon()
        self.addCleanup(daemon.close)
        trial = self.study("killed", server=daemon.server).ask()
        script = """if True:
            import sys, tuned
            for i in range(1, 1001):
                tuned.report(step=i, loss=i)
                if i % 100 == 0:
                    print(i, flush=True)
                    sys.stdin.readline()
        """
        process = rig.begin(script, daemon.env(trial))
        for i in range(100, 1001, 100):
            self.assertEqual(process.stdout.readline(), "%d\n" % i)
            if i in (200, 600):
                daemon.kill()
            if i in (400, 700):
                daemon.start()
            if i == 1000:
                self.until(lambda: len(self.measurements(trial)) >= 900)
            process.stdin.write("go\n")
            process.stdin.flush()
        out, err = process.communicate()
        self.assertEqual((process.returncode, out), (0, ""), err)
        self.assertEqual(self.measurements(trial), [(i, "loss", "%d.0" % i) for i in range(1, 1001)])

    def test_lost_answers(self):
        """Answers that never come make the client send again; nothing is stored twice."""
        proxy = rig.LossyProxy(self.daemon.socket, os.path.join(self.daemon.dir, "lossy"))
        self.addCleanup(proxy.close)
        trial = self.study("lossy").ask()
        code, _, err = rig.run("""if True:
            import tuned, time
            for i in range(1, 501):
                tuned.report(step=i, loss=i)
                if i % 50 == 0:
                    time.sleep(0.05)
        """, dict(self.daemon.env(trial), TUNED_SERVER=proxy.server))
        self.assertEqual(code, 0, err)
        self.assertGreater(proxy.lost, 1)
        self.assertEqual(self.measurements(trial), [(i, "loss", "%d.0" % i) for i in range(1, 501)])

    def test_no_daemon(self):
        """Nobody listens: one warning, exit code 0, and what could not be sent is printed for a collector."""
        trial = self.study("absent").ask()
        env = dict(self.daemon.env(trial), TUNED_SERVER="unix:" + os.path.join(self.daemon.dir, "nobody"))
        code, out, err = rig.run("import tuned\nfor i in range(3): tuned.report(step=i + 1, loss=i)\nprint(tuned.should_stop())", env)
        self.assertEqual((code, out), (0, "False\nstep=1 loss=0.0\nstep=2 loss=1.0\nstep=3 loss=2.0\n"), err)
        self.assertEqual(err.count("no daemon answers"), 1, err)

    def test_bounded_queue(self):
        """While the daemon is away the newest 10,000 points are kept, and the loss is said once."""
        daemon = rig.Daemon()
        self.addCleanup(daemon.close)
        trial = self.study("bounded", server=daemon.server).ask()
        daemon.kill()
        process = rig.begin("""if True:
            import sys, tuned
            for i in range(1, 15001):
                tuned.report(step=i, loss=i)
            print("all", flush=True)
            sys.stdin.readline()
        """, daemon.env(trial))
        self.assertEqual(process.stdout.readline(), "all\n")
        daemon.start()
        self.until(lambda: self.measurements(trial)[-1:] == [(15000, "loss", "15000.0")])
        _, err = process.communicate("go\n")
        steps = [m[0] for m in self.measurements(trial)]
        self.assertEqual(steps, sorted(set(steps)))
        self.assertEqual(steps[-10000:], list(range(5001, 15001)))
        self.assertEqual(err.count("the oldest are dropped"), 1, err)

    def test_should_stop(self):
        study = self.study("stopped")
        trial = study.ask()
        process = rig.begin("""if True:
            import sys, tuned
            tuned.report(step=1, loss=1)
            print(tuned.should_stop(), flush=True)
            sys.stdin.readline()
            import time
            for step in range(2, 1000):
                tuned.report(step=step, loss=1)
                if tuned.should_stop():
                    break
                time.sleep(0.05)
            print(tuned.should_stop(), flush=True)
        """, self.daemon.env(trial))
        self.assertEqual(process.stdout.readline(), "False\n")
        study._call("POST", "trials", trial.name, "stop")
        out, err = process.communicate("go\n")
        self.assertEqual((process.returncode, out), (0, "True\n"), err)

    def test_threads(self):
        trial = self.study("threads").ask()
        code, _, err = rig.run("""if True:
            import threading, tuned
            def work(k):
                for i in range(1, 101):
                    tuned.report({"m%d" % k: i}, step=i)
            threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        """, self.daemon.env(trial))
        self.assertEqual(code, 0, err)
        found = self.measurements(trial)
        for k in range(8):
            self.assertEqual([m[0] for m in found if m[1] == "m%d" % k], list(range(1, 101)))

    def test_ranks(self):
        """Of four ranks, as torchrun starts them, the first one alone reports, and the others print nothing."""
        trial = self.study("ranks").ask()
        script = "import os, tuned; tuned.report(step=1, loss=os.environ['RANK']); print(tuned.should_stop())"
        started = [rig.begin(script, self.daemon.env(trial, RANK=str(rank), LOCAL_RANK=str(rank % 2), WORLD_SIZE="4")) for rank in range(4)]
        for process in started:
            out, err = process.communicate()
            self.assertEqual((process.returncode, out), (0, "False\n"), err)
        self.assertEqual(self.measurements(trial), [(1, "loss", "0.0")])

    def test_fork(self):
        """Children of a process that reports are silent: they neither hang, nor send again what waits in it."""
        trial = self.study("fork").ask()
        code, out, err = rig.run("""if True:
            import os, sys, tuned
            tuned.report(step=1, loss=1)
            for _ in range(4):
                if os.fork() == 0:
                    tuned.report(step=2, loss=2)
                    tuned.should_stop()
                    sys.exit(0)
            print([os.wait()[1] for _ in range(4)])
            tuned.report(step=3, loss=3)
        """, self.daemon.env(trial))
        self.assertEqual((code, out), (0, "[0, 0, 0, 0]\n"), err)
        self.assertEqual(self.measurements(trial), [(1, "loss", "1.0"), (3, "loss", "3.0")])

    def test_multiprocessing(self):
        """Processes that a parent starts, which does not report itself, report one after the other."""
        for method in ("fork", "spawn"):
            trial = self.study("processes-" + method).ask()
            script = os.path.join(self.daemon.dir, method + ".py")
            with open(script, "w") as file:
                file.write("import multiprocessing, tuned\n"
                           "def work(fold):\n    tuned.report(step=fold, loss=fold)\n"
                           "if __name__ == '__main__':\n"
                           "    context = multiprocessing.get_context(%r)\n"
                           "    for fold in (1, 2, 3):\n"
                           "        p = context.Process(target=work, args=(fold,)); p.start(); p.join(); assert p.exitcode == 0\n" % method)
            done = subprocess.run([sys.executable, script], env=self.daemon.env(trial), stderr=subprocess.PIPE)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.measurements(trial), [(i, "loss", "%d.0" % i) for i in (1, 2, 3)])

    def test_token_is_read_anew(self):
        """A token's file that changes is read again when the daemon refuses what it held."""
        daemon = rig.Daemon(listen="127.0.0.1:0")
        self.addCleanup(daemon.close)
        with open(os.path.join(daemon.dir, "log")) as file:
            url = [json.loads(line)["url"] for line in file if '"ready"' in line][0]
        trial = self.study("token", server=daemon.server).ask()
        token = os.path.join(daemon.dir, "token")
        with open(token, "w") as file:
            file.write("an old one")
        process = rig.begin("import sys, tuned; tuned.report(step=1, loss=1); sys.stdin.readline(); tuned.report(step=2, loss=2)",
                            dict(daemon.env(trial), TUNED_SERVER=url, TUNED_TOKEN_FILE=token))
        self.assertIn("not a right one", process.stderr.readline())
        os.replace(os.path.join(daemon.data, "token"), token)
        process.communicate("go\n")
        self.assertEqual([m[0] for m in self.measurements(trial)], [1, 2])

    def test_over_http_to_elsewhere(self):
        """A token is not shown where it could be read on its way; training goes on all the same."""
        trial = self.study("elsewhere").ask()
        env = dict(self.daemon.env(trial), TUNED_SERVER="http://192.0.2.1:8080", TUNED_TOKEN="secret")
        code, out, err = rig.run("import tuned; tuned.report(loss=1); print(tuned.should_stop())", env)
        self.assertEqual((code, out), (0, "loss=1.0\nFalse\n"))
        self.assertIn("use https", err)
        self.assertNotIn("secret", err)


class TestByHand(unittest.TestCase):
    """Without a daemon the same script runs as it is."""

    env = {k: v for k, v in os.environ.items() if not k.startswith("TUNED_")}
    env["PYTHONPATH"] = rig.PYTHON

    def test_prints(self):
        code, out, err = rig.run("import tuned; tuned.report(step=3, loss=0.5, acc=1); tuned.report(loss=float('nan')); print(tuned.should_stop())", self.env)
        self.assertEqual((code, out, err), (0, "step=3 loss=0.5\nstep=3 acc=1.0\nloss=nan\nFalse\n", ""))

    def test_closed_output(self):
        code, _, _ = rig.run("import os, tuned; os.close(1); tuned.report(loss=1); tuned.report(loss=1); os._exit(7)", self.env)
        self.assertEqual(code, 7)

    def test_silent(self):
        self.assertEqual(rig.run("import tuned; tuned.report(loss=1)", dict(self.env, TUNED_REPORT="0"))[:2], (0, ""))

    def test_params(self):
        show = "import tuned, json; print(json.dumps(tuned.params(lr=0.5, batch_size=8, opt='sgd', nesterov=False), sort_keys=True))"
        wants = '{"batch_size": %s, "lr": %s, "nesterov": %s, "opt": "%s"}\n'
        given = '{"lr": 1, "batch_size": 16, "opt": "adam", "nesterov": "True"}'
        path = os.path.join(rig.tempfile.mkdtemp(), "params.json")
        with open(path, "w") as file:
            file.write(given)
        for env, arguments, want in (
                ({}, [], ("8", "0.5", "false", "sgd")),
                ({}, ["--lr=1e-3", "--batch-size", "32", "--nesterov=true"], ("32", "0.001", "true", "sgd")),
                ({"TUNED_PARAMS": given}, ["--lr=3"], ("16", "1.0", "true", "adam")),
                ({"TUNED_PARAMS_FILE": path}, [], ("16", "1.0", "true", "adam")),
                ({"TUNED_PARAMS": '{"batch_size": 0.25}'}, [], ("0.25", "0.5", "false", "sgd")),
                ({"TUNED_PARAMS": "[1, 2]"}, [], ("8", "0.5", "false", "sgd")),
                ({"TUNED_PARAMS": "{"}, [], ("8", "0.5", "false", "sgd")),
                ({"TUNED_PARAMS": '{"batch_size": "many"}'}, [], ('"many"', "0.5", "false", "sgd"))):
            code, out, err = rig.run(show, dict(self.env, **env), *arguments)
            self.assertEqual((code, out), (0, wants % want), err)

    def test_params_in_a_notebook(self):
        """The arguments of a kernel are not the user's."""
        show = "import sys, tuned; sys.argv[0] = '/lib/%s.py'; print(tuned.params(lr=0.5))"
        for program, want in (("ipykernel_launcher", "{'lr': 0.5}\n"), ("train", "{'f': '/run/kernel-1.json', 'lr': 0.5}\n")):
            code, out, err = rig.run(show % program, self.env, "--f=/run/kernel-1.json")
            self.assertEqual((code, out), (0, want), err)

    def test_checkpoint_dir(self):
        show = "import tuned; print(tuned.checkpoint_dir())"
        for env, want in (({}, "None"), ({"TUNED_CHECKPOINT_DIR": ""}, "None"), ({"TUNED_CHECKPOINT_DIR": "/a b"}, "/a b")):
            self.assertEqual(rig.run(show, dict(self.env, **env))[:2], (0, want + "\n"))

    def test_first_rank(self):
        cluster = {"cluster": {"worker": ["a", "b"]}}
        chief = {"cluster": {"chief": ["a"], "worker": ["b"]}}
        for env, want in (
                ({}, True), ({"RANK": "0"}, True), ({"RANK": "3"}, False), ({"RANK": "0", "LOCAL_RANK": "1"}, True),
                ({"LOCAL_RANK": "1"}, False), ({"SLURM_PROCID": "2"}, False), ({"OMPI_COMM_WORLD_RANK": "1"}, False),
                ({"RANK": "none"}, True), ({"TF_CONFIG": "{"}, True), ({"TF_CONFIG": "[]"}, True),
                ({"TF_CONFIG": json.dumps(dict(cluster, task={"type": "worker", "index": 0}))}, True),
                ({"TF_CONFIG": json.dumps(dict(cluster, task={"type": "worker", "index": 1}))}, False),
                ({"TF_CONFIG": json.dumps(dict(chief, task={"type": "worker", "index": 0}))}, False),
                ({"TF_CONFIG": json.dumps(dict(chief, task={"type": "chief", "index": 0}))}, True),
                ({"TF_CONFIG": json.dumps(dict(chief, task={"type": "ps", "index": 0}))}, False)):
            with self.subTest(env), unittest.mock.patch.dict(os.environ, env):
                self.assertEqual(tuned._first_rank(), want)


if __name__ == "__main__":
    unittest.main()
