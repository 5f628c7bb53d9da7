"""SavedModels and Keras files, through TensorFlow in the classic environment; and a child that fails in every way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mobilekit
from mobilekit.errors import BackendError, InputError, ModelLoadError
from mobilekit.frontends import child
from mobilekit.frontends.child import Limits
from mobilekit.frontends.tensorflow_model import VARIABLE, from_tensorflow
from mobilekit.loading import load_model

# One process for all files: starting TensorFlow takes most of the time.
MAKE = """
import sys, tensorflow as tf
k = tf.keras
tf.random.set_seed(0)
m = k.Sequential([k.layers.Input((16, 16, 3), name="image"), k.layers.Conv2D(8, 3, strides=2, padding="same"),
    k.layers.BatchNormalization(), k.layers.ReLU(6.0), k.layers.GlobalAveragePooling2D(), k.layers.Dense(5)])
m.save("net.keras"); m.save("net.h5")
class Module(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.random.normal([4, 3], seed=1))
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="q"),
        tf.TensorSpec([None, 3], tf.float32, name="a")])
    def one(self, q, a):
        return {"z": tf.matmul(q, self.w) + a, "y": a * 2}
    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="q")])
    def two(self, q):
        return {"z": tf.math.erfinv(tf.matmul(q, self.w))}
m = Module()
tf.saved_model.save(m, "saved", signatures={"one": m.one, "two": m.two})
"""


@pytest.fixture(scope="module")
def folder(classic_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tensorflow")
    subprocess.run([str(classic_python), "-c", MAKE], cwd=path, check=True, capture_output=True)
    return path


@pytest.fixture
def tensorflow(classic_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(classic_python))


@pytest.mark.classic
def test_a_keras_file_in_int8(folder: Path, tensorflow: None) -> None:
    images = [np.random.default_rng(seed).random((1, 16, 16, 3), dtype=np.float32) for seed in range(4)]
    result = mobilekit.convert(folder / "net.keras", quantize="int8", calibration=images)
    report = result.report
    assert (report.backend, report.full_integer) == ("tensorflow", True)
    assert report.verification is not None
    assert report.verification.reference.startswith("TensorFlow 2.")
    # A shallow net: 8 bits give 30 dB and more; under 20 something would be wrong.
    assert report.verification.outputs[0].sqnr_db > 20
    assert [spec.name for spec in result.sidecar.inputs] == ["image"]
    assert result(images[0]).shape == (1, 5)


@pytest.mark.classic
@pytest.mark.slow
def test_the_older_keras_file(folder: Path, tensorflow: None) -> None:
    report = mobilekit.convert(folder / "net.h5").report
    assert report.verification is not None
    assert report.verification.passed
    assert "BATCH_MATMUL" not in report.op_counts


@pytest.mark.classic
def test_a_signature_is_named_by_its_path(folder: Path, tensorflow: None) -> None:
    result = mobilekit.convert(f"{folder / 'saved'}:one", (np.ones((2, 4), np.float32), np.ones((2, 3), np.float32)))
    answer = result(np.zeros((2, 4), np.float32), np.full((2, 3), 5, np.float32))
    # 5 * 2 and 0 * w + 5: nothing is rounded.
    np.testing.assert_array_equal(answer["y"], np.full((2, 3), 10, np.float32))
    np.testing.assert_array_equal(answer["z"], np.full((2, 3), 5, np.float32))


@pytest.mark.classic
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        pytest.param(
            "saved",
            InputError,
            r"has 2 signatures and no serving_default; name one as '.*saved:one' \(one, two\)",
            marks=pytest.mark.slow,
        ),
        ("saved:three", InputError, r"has no signature 'three'; name one as '.*saved:one' \(one, two\)"),
        pytest.param(
            "saved:two",
            BackendError,
            r"cannot convert '.*saved': ops that TFLite does not have: Erfinv",
            marks=pytest.mark.slow,
        ),
        ("broken.keras", ModelLoadError, r"'.*broken\.keras' is no Keras model that TensorFlow 2\.\S+ can load"),
    ],
)
def test_what_cannot_be(folder: Path, tensorflow: None, name: str, error: type[Exception], message: str) -> None:
    (folder / "broken.keras").write_bytes((folder / "net.keras").read_bytes()[:1000])
    with pytest.raises(error, match=message):
        mobilekit.convert(str(folder / name))


def test_without_tensorflow_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("MOBILEKIT_ONNX2TF_PYTHON", raising=False)
    monkeypatch.setattr("mobilekit.frontends.tensorflow_model.python_for", lambda *arguments: None)
    (tmp_path / "net.keras").write_bytes(b"x")
    with pytest.raises(BackendError, match=rf"net\.keras' needs TensorFlow, .*mobilekit\[classic\].* set {VARIABLE}"):
        mobilekit.convert(tmp_path / "net.keras")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", r"backend 'tensorflow' crashed \(SIGSEGV\)"),
        ("import time; time.sleep(60)", r"backend 'tensorflow' did not finish in 2 s"),
        ("import time; b = bytearray(300 << 20); time.sleep(60)", r"used \d+ MB of memory, 100 are allowed"),
        ("print('done')", r"said it was done and wrote no model\.tflite"),
    ],
)
def test_a_child_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    if "memory" in message and not Path("/proc").is_dir():
        pytest.skip("memory is read from /proc, which is Linux's")
    monkeypatch.setenv(VARIABLE, sys.executable)
    monkeypatch.setattr(child, "CHILDREN", tmp_path)
    (tmp_path / "tensorflow_child.py").write_text(script)
    limits = Limits(timeout_s=2) if "finish" in message else Limits(timeout_s=50, memory_mb=100)
    with pytest.raises(BackendError, match=message):
        from_tensorflow(tmp_path / "net.keras", limits=limits)


def test_a_result_with_other_numbers_is_a_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    data = mobilekit.convert(torch.nn.ReLU().eval(), torch.ones(1, 4)).bytes
    (tmp_path / "lie.tflite").write_bytes(data)
    monkeypatch.setenv(VARIABLE, sys.executable)
    monkeypatch.setattr(child, "CHILDREN", tmp_path)
    (tmp_path / "tensorflow_child.py").write_text(
        f"import json, shutil, numpy as np; shutil.copy({str(tmp_path / 'lie.tflite')!r}, 'model.tflite');"
        "json.dump({'version': '2', 'inputs': ['input'], 'outputs': ['output'], 'nesting': 'single', 'opened': []},"
        "open('said.json', 'w')); one = np.ones((1, 4), np.float32);"
        "np.savez('inputs.npz', **{'0_0': one}); np.savez('outputs.npz', **{'0_0': one * 2})"
    )
    with pytest.raises(BackendError, match=r"wrong numbers: off on the example by 0\.5 of the maximum"):
        from_tensorflow(tmp_path / "net.keras")


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"is a folder, not a model file \(a SavedModel's would hold"):
        load_model(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"x")
    assert load_model(f"{tmp_path}:other").signature == "other"
    assert load_model(str(tmp_path)).kind == "tensorflow"
