"""Each callback inside its real library: what a training reports, and that should_stop ends it."""
import importlib.util
import os
import socket
import unittest
import unittest.mock

import rig
import tuned

os.environ.setdefault("KERAS_BACKEND", "jax")


class StopAfter:
    """Stands where the reporter of a trial does, and asks to stop after some reports."""

    def __init__(self, count):
        self.left = count

    def put(self, points):
        self.left -= 1

    def should_stop(self):
        return self.left <= 0


def needs(*modules):
    missing = [m for m in modules if importlib.util.find_spec(m) is None]
    return unittest.skipIf(missing, "not installed: %s" % ", ".join(missing))


class TestCallbacks(rig.DaemonTest):
    def record(self, train):
        """What a training reports, as the daemon has it: a dict of metrics for each step."""
        trial = self.study(self._testMethodName.replace("_", "-")).ask()
        env = {"TUNED_SERVER": self.daemon.server, "TUNED_EXPERIMENT": "default/" + trial._study.name, "TUNED_TRIAL": trial.name}
        with unittest.mock.patch.dict(os.environ, env), unittest.mock.patch.object(tuned, "_current", None):
            train()
            tuned._close()
        steps = {}
        for step, metric, text in self.measurements(trial):
            steps.setdefault(step, {"step": step})[metric] = float(text)
        return list(steps.values())

    def stopped(self, train, count):
        """How many reports a training makes that should stop after some."""
        reporter = StopAfter(count)
        with unittest.mock.patch.object(tuned, "_current", reporter), unittest.mock.patch.object(tuned, "_Reporter", StopAfter):
            train()
        return count - reporter.left

    @needs("xgboost", "numpy")
    def test_xgboost(self):
        import numpy
        import xgboost
        x = numpy.random.default_rng(1).normal(size=(200, 3))
        data = xgboost.DMatrix(x, x[:, 0] > 0)

        def train():
            xgboost.train({"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": 1}, data, 6,
                          evals=[(data, "valid")], callbacks=[tuned.XGBoostCallback()], verbose_eval=False)

        reports = self.record(train)
        self.assertEqual([r["step"] for r in reports], [1, 2, 3, 4, 5, 6])
        self.assertEqual(set(reports[0]), {"step", "valid-logloss", "valid-auc"})
        self.assertLess(reports[-1]["valid-logloss"], reports[0]["valid-logloss"])
        self.assertEqual(self.stopped(train, 2), 2)

    @needs("lightgbm", "numpy")
    def test_lightgbm(self):
        import lightgbm
        import numpy
        x = numpy.random.default_rng(1).normal(size=(200, 3))
        data = lightgbm.Dataset(x, (x[:, 0] > 0).astype(int), free_raw_data=False)

        def train():
            lightgbm.train({"objective": "binary", "metric": ["binary_logloss", "auc"], "verbose": -1, "num_threads": 1}, data, 6,
                           valid_sets=[data], valid_names=["valid"], callbacks=[tuned.LightGBMCallback()])

        reports = self.record(train)
        self.assertEqual([r["step"] for r in reports], [1, 2, 3, 4, 5, 6])
        self.assertEqual(set(reports[0]), {"step", "valid binary_logloss", "valid auc"})
        self.assertLess(reports[-1]["valid binary_logloss"], reports[0]["valid binary_logloss"])
        self.assertEqual(self.stopped(train, 2), 2)

    @needs("keras", "numpy")
    def test_keras(self):
        import keras
        import numpy
        x = numpy.random.default_rng(1).normal(size=(64, 3)).astype("float32")

        def train():
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.layers.Dense(1)])
            model.compile(optimizer=keras.optimizers.Adam(0.05), loss="mse")
            model.fit(x, x[:, :1], epochs=4, validation_split=0.25, verbose=0, callbacks=[tuned.KerasCallback()])

        reports = self.record(train)
        self.assertEqual([r["step"] for r in reports], [1, 2, 3, 4])
        self.assertEqual(set(reports[0]), {"step", "loss", "val_loss"})
        self.assertLess(reports[-1]["val_loss"], reports[0]["val_loss"])
        self.assertEqual(self.stopped(train, 2), 2)

    @needs("pytorch_lightning", "torch")
    def test_lightning(self):
        import pytorch_lightning
        import torch

        class Model(pytorch_lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(3, 1)

            def _register_sharded_tensor_state_dict_hooks_if_available(self):
                """Nothing is sharded here; Debian 12's PyTorch cannot import what is asked for."""

            def training_step(self, batch, _):
                loss = (self.layer(batch[0]) - batch[1]).square().mean()
                self.log("train_loss", loss)
                return loss

            def validation_step(self, batch, _):
                self.log("val_loss", (self.layer(batch[0]) - batch[1]).square().mean())

            def configure_optimizers(self):
                return torch.optim.Adam(self.parameters(), lr=0.05)

        torch.manual_seed(1)
        x = torch.randn(64, 3)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x[:, :1]), batch_size=16)

        def train():
            with rig.tempfile.TemporaryDirectory() as folder:
                trainer = pytorch_lightning.Trainer(max_epochs=4, default_root_dir=folder, callbacks=[tuned.LightningCallback()],
                                                    logger=False, enable_checkpointing=False, enable_progress_bar=False, min_epochs=1)
                trainer.fit(Model(), data, data)

        reports = self.record(train)
        self.assertEqual([r["step"] for r in reports], [1, 2, 3, 4])
        self.assertEqual(set(reports[0]), {"step", "train_loss", "val_loss"})
        self.assertLess(reports[-1]["val_loss"], reports[0]["val_loss"])
        self.assertEqual(self.stopped(train, 2), 2)

    @needs("transformers", "torch", "accelerate")
    def test_transformers(self):
        import torch
        import transformers
        torch.manual_seed(1)
        x = torch.randn(64, 3)
        data = [{"x": row, "y": row[:1]} for row in x]

        class Model(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(3, 1)

            def forward(self, x, y):
                out = self.layer(x)
                return {"loss": (out - y).square().mean(), "logits": out}

        def train():
            with rig.tempfile.TemporaryDirectory() as folder:
                settings = transformers.TrainingArguments(
                    folder, num_train_epochs=4, per_device_train_batch_size=16, evaluation_strategy="epoch", logging_strategy="epoch",
                    save_strategy="no", report_to=[], learning_rate=0.05, label_names=["y"], disable_tqdm=True, no_cuda=True)
                trainer = transformers.Trainer(Model(), settings, train_dataset=data, eval_dataset=data,
                                               callbacks=[tuned.TransformersCallback()])
                trainer.train()

        with unittest.mock.patch("builtins.print"):
            reports = self.record(train)
            stopped = self.stopped(train, 2)
        self.assertEqual([r["step"] for r in reports], [4, 8, 12, 16])
        self.assertLess(reports[-1]["eval_loss"], reports[0]["eval_loss"])
        self.assertIn(stopped, (2, 3))  # of nine; the evaluation of the epoch that runs still comes


class TestValues(rig.DaemonTest):
    @needs("numpy", "torch", "jax")
    def test_scalars(self):
        """Scalars, and arrays and tensors of one element, of the numerical libraries are numbers."""
        import jax
        import numpy
        import torch
        values = {"f32": numpy.float32(0.5), "i64": numpy.int64(3), "bool": numpy.bool_(True), "nan": numpy.float64("nan"),
                  "zero": numpy.array(0.25), "one": numpy.array([[0.75]]), "tensor": torch.tensor(1.5, requires_grad=True),
                  "row": torch.tensor([2.5]), "half": torch.tensor(0.5, dtype=torch.float16), "inf": torch.tensor(float("-inf")),
                  "jax": jax.numpy.float32(4.5), "many": numpy.zeros(2), "none": torch.zeros(0), "meta": torch.zeros(1, device="meta")}
        wants = {"f32": "0.5", "i64": "3.0", "bool": "1.0", "nan": "nan", "zero": "0.25", "one": "0.75", "tensor": "1.5",
                 "row": "2.5", "half": "0.5", "inf": "-inf", "jax": "4.5"}
        trial = self.study("scalars").ask()
        env = {"TUNED_SERVER": self.daemon.server, "TUNED_EXPERIMENT": "default/scalars", "TUNED_TRIAL": trial.name}
        with unittest.mock.patch.dict(os.environ, env), unittest.mock.patch.object(tuned, "_current", None):
            tuned.report(values, step=numpy.int32(2))
            tuned.report(loss=1, step=torch.tensor(3))
            tuned._close()
        found = self.measurements(trial)
        self.assertEqual({metric: text for step, metric, text in found if step == 2}, wants)
        self.assertEqual(found[-1], (3, "loss", "1.0"))
        self.assertEqual(self.study("scalars").tell(trial, numpy.float64(0.5)).value, 0.5)

    @needs("torch")
    def test_loaders(self):
        """The workers of a loader are silent, and end; what the training reports comes."""
        trial = self.study("loaders").ask()
        code, out, err = rig.run("""if True:
            import torch, tuned
            class Data(torch.utils.data.Dataset):
                def __len__(self): return 8
                def __getitem__(self, i):
                    tuned.report(step=i, item=i)
                    return float(i)
            for epoch in (1, 2):
                for batch in torch.utils.data.DataLoader(Data(), batch_size=4, num_workers=2):
                    tuned.report(step=epoch, loss=batch.sum())
        """, self.daemon.env(trial))
        self.assertEqual((code, out), (0, ""), err)
        self.assertEqual([m[:2] for m in self.measurements(trial) if m[1] == "loss"], [(1, "loss")] * 2 + [(2, "loss")] * 2)


class TestRanks(unittest.TestCase):
    @needs("torch")
    def test_agree(self):
        """Two ranks of PyTorch get the answer of the first one, where it is known."""
        script = """if True:
            import os, torch.distributed, tuned
            torch.distributed.init_process_group("gloo")
            print(tuned._agreed(os.environ["RANK"] == "0"), tuned._agreed(os.environ["RANK"] == "1"))
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = dict(os.environ, PYTHONPATH=rig.PYTHON, MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2")
        for process in [rig.begin(script, dict(env, RANK=rank)) for rank in "01"]:
            out, err = process.communicate()
            self.assertEqual((process.returncode, out), (0, "True False\n"), err)


class TestNames(unittest.TestCase):
    def test_lazily(self):
        """Importing tuned imports no training library; a name that is not there says so."""
        code, out, _ = rig.run("import sys, tuned; print([m for m in ('keras', 'torch', 'numpy', 'xgboost') if m in sys.modules])",
                               dict(os.environ, PYTHONPATH=rig.PYTHON))
        self.assertEqual((code, out), (0, "[]\n"))
        with self.assertRaises(AttributeError):
            tuned.NoSuchCallback
        self.assertNotIn("float", vars(tuned))


if __name__ == "__main__":
    unittest.main()
