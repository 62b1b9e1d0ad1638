"""Studies in the worse cases: Ctrl-C at any point, several objectives, constraints, hostile names, and what is shown."""
import html.parser
import inspect
import math
import unittest
import unittest.mock

import rig
import tuned


class Tags(html.parser.HTMLParser):
    """The tags of a page, which must be closed in their order, and its text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.seen, self.text = [], [], []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in ("br", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)


class TestInterrupts(rig.DaemonTest):
    def interrupted(self, name, path, after):
        """Runs optimize, with Ctrl-C in one call of the API, before or after the daemon acts; returns the study."""
        study = self.study(name, parallel=2, max_trials=4)
        once, hits = study._client._once, []

        def call(method, called, body):
            hit = called.endswith(path) and not hits
            if hit and not after:
                hits.append(called)
                raise KeyboardInterrupt
            answer = once(method, called, body)
            if hit:
                hits.append(called)
                raise KeyboardInterrupt
            return answer

        with unittest.mock.patch.object(study._client, "_once", call), self.assertRaises(KeyboardInterrupt):
            study.optimize(lambda trial: trial["x"], quiet=True)
        self.assertEqual(len(hits), 1)
        return study

    def test_anywhere(self):
        """No trial stays out, so that the study comes to its end when the cell is run again."""
        for path in ("/ask", "/tell"):
            for after in (False, True):
                with self.subTest(path=path, after=after):
                    study = self.interrupted("ctrl-c%s-%s" % (path.replace("/", "-"), str(after).lower()), path, after)
                    self.assertNotIn("Running", [t.state for t in study.trials()])
                    study.optimize(lambda trial: trial["x"], quiet=True)
                    states = [t.state for t in study.trials()]
                    self.assertEqual((len(states), states[1:]), (4, ["Succeeded"] * 3), states)
                    self.assertEqual(states[0], "Succeeded" if (path, after) == ("/tell", True) else "Killed")

    def test_other_exits(self):
        """What is no Exception ends optimize as Ctrl-C does."""
        study = self.study("exits")
        for kind in (SystemExit, GeneratorExit):
            with self.assertRaises(kind):
                study.optimize(unittest.mock.Mock(side_effect=kind), n_trials=1, quiet=True)
        self.assertEqual([t.state for t in study.trials()], ["Killed"] * 2)

    def test_faults_of_the_daemon(self):
        """An error of the daemon, which is none of the objective, ends optimize in all threads."""
        for jobs in (1, 3):
            study = self.study("gone-%d" % jobs)
            once = study._client._once

            def call(method, path, body):
                if path.endswith("/tell"):
                    raise tuned.Error("it is gone", "EXPERIMENT_NOT_FOUND", 404)
                return once(method, path, body)

            with unittest.mock.patch.object(study._client, "_once", call), self.assertRaisesRegex(tuned.Error, "it is gone"):
                study.optimize(lambda trial: 1, n_trials=20, n_jobs=jobs, quiet=True)
            self.assertLessEqual(len(study.trials()), 2 * jobs)


class TestProblems(rig.DaemonTest):
    def test_maximize(self):
        for kind, best in (("maximize", 9), ("minimize", -9)):
            study = self.study(kind, objective=("acc", kind))
            for value in (1, 9, -9, float("nan"), float("inf")):
                study.tell(study.ask(), value)
            self.assertEqual(study.best.value, best)

    def test_goal(self):
        study = self.study("goal", goal=0.5)
        study.optimize(lambda trial: 2 / trial.number, quiet=True)
        self.assertEqual(len(study.trials()), 4)
        with self.assertRaisesRegex(tuned.StudyEnded, "study goal has ended"):
            study.ask()

    def test_constraints(self):
        """Objectives, constraints and a warm start are fields of the spec; the front and the best keep the bounds."""
        first = self.study("first", max_trials=3, algorithm="bayesianoptimization")
        first.optimize(lambda trial: trial["x"], quiet=True)
        tuned_fields = {"constraints": [{"metricName": "mem", "max": 2}], "warmStart": ["first"]}
        study = self.study("bound", objective=[("loss", "minimize"), ("acc", "maximize")], algorithm="bayesianoptimization",
                           spec={"tuned": tuned_fields})
        results = [(1, 1, 9), (2, 1, 1), (3, 3, 2), (4, 2, 1), (5, 5, 0)]  # loss, acc, mem
        study.optimize(lambda trial: dict(zip(("loss", "acc", "mem"), results[trial.number - 1])), n_trials=5, quiet=True)
        self.assertEqual([t.feasible for t in study.trials()], [False, True, True, True, True])
        self.assertEqual([t.number for t in study.front], [2, 3, 5])
        self.assertEqual((study.best.number, study.best.values), (2, [2, 1]))
        self.assertEqual(study._call("GET")["object"]["spec"]["tuned"]["warmStart"], ["first"])
        with self.assertLogs("tuned") as logs:
            self.study("unbound", spec={"tuned": tuned_fields})
        self.assertIn("study unbound: spec.tuned.warmStart", " ".join(logs.output))

    def test_waits(self):
        """While others have all trials that are left optimize waits, and says so."""
        study = self.study("waits", max_trials=1)
        out = study.ask()
        with unittest.mock.patch.object(tuned, "_delays", lambda seconds: [0.01, 3, 0.01]), \
                unittest.mock.patch.object(tuned.time, "sleep"), self.assertLogs("tuned") as logs:
            tuned._warned.clear()
            study.optimize(lambda trial: 1, quiet=True)
        self.assertIn("trials are out: %s; of one that nobody evaluates any more: tuned stop -n default waits %s" % (out.name, out.name), logs.output[0])
        with self.assertRaises(tuned.Error) as caught:
            study.ask()
        self.assertEqual(caught.exception.code, "NO_TRIAL_FREE")
        study.tell(out, 1)

    def test_errors(self):
        """Errors say what and where, and what to do."""
        study = self.study("errors")
        for call, kind, says in (
                (lambda: study.tell(value=1), ValueError, "study errors: tell the result of a trial, or of params"),
                (lambda: study.tell(1, 2, params={"x": 0}), ValueError, "study errors: tell the result"),
                (lambda: study.tell(99, 1), tuned.Error, "99"),
                (lambda: study.tell(params={"y": 1}, value=1), tuned.Error, "y"),
                (lambda: study.enqueue({"x": "wide"}), tuned.Error, "x"),
                (lambda: study.tell(study.ask(), "much"), tuned.Error, "loss"),
                (lambda: self.study("errors", algorithm="magic"), tuned.Error, "magic"),
                (lambda: tuned.study("x", server="nowhere:1/path"), ValueError, "want http://HOST:PORT"),
                (lambda: tuned.NoName, AttributeError, "no attribute 'NoName'")):
            with self.subTest(says), self.assertRaisesRegex(kind, says):
                call()

    def test_message(self):
        """The failure of a trial may have any text."""
        study = self.study("message")
        with self.assertLogs("tuned"):
            study.optimize(unittest.mock.Mock(side_effect=OSError("bad \ud800 name \x00 " + "x" * 5000)), n_trials=1, quiet=True)
        trial = study.trials()[0]
        self.assertEqual(trial.state, "Failed")
        self.assertIn("bad ? name", trial.message)


class TestShown(rig.DaemonTest):
    HOSTILE = "<img src=x onerror='alert(1)'>\"&amp;"

    def test_html(self):
        """Whatever the names, the page has the tags and the attributes that it should, and the names as text."""
        study = self.study("html", space={"x": tuned.choice([self.HOSTILE, "</table>"])},
                           objective=[(self.HOSTILE, "minimize"), ("acc", "maximize")])
        Tags(study._repr_html_())
        for value in (3, 1, float("nan"), 2):
            study.tell(study.ask(), [value, 0.5])
        page = Tags(study._repr_html_())
        allowed = {"div": set(), "b": set(), "br": set(), "table": set(), "tr": set(), "th": set(), "td": set(),
                   "svg": {"width", "height"}, "circle": {"cx", "cy", "r", "fill"}, "polyline": {"points", "fill", "stroke"}}
        for tag, attributes in page.seen:
            self.assertEqual(set(attributes), allowed[tag])
        self.assertIn(study.best["x"], page.text)
        self.assertIn(self.HOSTILE, page.text)
        circles = [a for tag, a in page.seen if tag == "circle"]
        self.assertEqual(len(circles), 3)
        self.assertLess(float(circles[0]["cy"]), float(circles[1]["cy"]))  # a greater value is drawn higher
        line = [a["points"].split() for tag, a in page.seen if tag == "polyline"][0]
        self.assertEqual([point.split(",")[1] for point in line[1:]], [circles[1]["cy"]] * 2)  # the best so far

    def test_repr(self):
        study = self.study("repr")
        trial = study.tell(study.ask(), 0.5)
        self.assertEqual(repr(study), "Study('repr', objectives=[('loss', 'minimize')])")
        self.assertEqual(repr(trial), "Trial(number=1, state='Succeeded', value=0.5, params=%r)" % trial.params)
        self.assertTrue(0 <= trial.duration < 60)
        self.assertTrue(math.isfinite(trial.duration))

    def test_names(self):
        """What the module has is listed, and every argument and result has a type."""
        self.assertLessEqual({"float", "int", "choice", "KerasCallback", "study", "report"}, set(dir(tuned)))
        public = [getattr(tuned, name) for name in ("params", "report", "should_stop", "checkpoint_dir", "study", "choice", "float", "int")]
        for kind in (tuned.Study, tuned.Trial, tuned.Client):
            public += [f for name, f in vars(kind).items() if inspect.isfunction(f) and not name.startswith("_")]
            public += [p.fget for p in vars(kind).values() if isinstance(p, property)]
        for function in public:
            signature = inspect.signature(function)
            for parameter in signature.parameters.values():
                self.assertTrue(parameter.name == "self" or parameter.annotation is not parameter.empty, (function, parameter))
            self.assertIsNot(signature.return_annotation, signature.empty, function)
            self.assertTrue(function.__doc__, function)


if __name__ == "__main__":
    unittest.main()
