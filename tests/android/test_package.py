"""A model into the prebuilt app: what is written, and what is refused before anything is."""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mobilekit.android import package
from mobilekit.android.apk import Entry, zip_entries
from mobilekit.android.package import RUNTIME_VERSION, check_runs
from mobilekit.android.sign import Key, sign
from mobilekit.cli import main
from mobilekit.errors import InputError, OutputError
from mobilekit.graph.writer import write
from mobilekit.sidecar import (
    DetectionSpec,
    PreprocessSpec,
    RecognitionSpec,
    SegmentationSpec,
    Sidecar,
    StateSpec,
    TensorSpec,
)
from tests.android.support import ROOT, need, run_checked
from tests.android.test_jvm import sidecar, tensor
from tests.graph.build import small_cnn

SPEC = PreprocessSpec(height=8, width=8, mean=(0.0,), std=(1.0,))
HEAD = tensor("out", (1, 9, 300), "float32", None)
STATE = StateSpec(buffer="cache", input="in", output="out", initial=(0.0,))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    entries = [
        Entry("AndroidManifest.xml", b"m" * 40), Entry("assets/model.json", b"{}"), Entry("assets/model.tflite", b"old"),
        Entry("classes.dex", b"dex"), Entry("lib/arm64-v8a/libmobilekit.so", b"elf"),
    ]  # fmt: skip
    path = tmp_path / "prebuilt.apk"
    path.write_bytes(sign(zip_entries(entries), Key.debug()))
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A real file, small, with a sidecar that is its."""
    data = write(small_cnn())
    path = tmp_path / "net.tflite"
    path.write_bytes(data)
    document = sidecar(SPEC).model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    path.with_suffix(".json").write_text(document.to_json())
    return path


def test_takes_the_place_of_the_model(app: Path, model: Path, tmp_path: Path) -> None:
    done = package(model, tmp_path / "mine.apk", app=app)
    assert done.path == tmp_path / "mine.apk"
    assert done.size_bytes == done.path.stat().st_size
    with zipfile.ZipFile(done.path) as archive:
        assert archive.read("assets/model.tflite") == model.read_bytes()
        assert Sidecar.from_json(archive.read("assets/model.json").decode()).model == "net"
        assert archive.getinfo("assets/model.tflite").compress_type == zipfile.ZIP_STORED
        assert archive.read("classes.dex") == b"dex"
    assert package(model, tmp_path / "again.apk", app=app).sha256 == done.sha256


def test_apksigner_takes_it(app: Path, model: Path, tmp_path: Path) -> None:
    need({"apksigner": "apksigner"})
    package(model, tmp_path / "mine.apk", app=app)
    run_checked(["apksigner", "verify", "--min-sdk-version", "26", "--max-sdk-version", "35", tmp_path / "mine.apk"])


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (sidecar(SPEC, postprocess=SegmentationSpec()), "'net' is for segmentation: the app shows classification, detection, recognition"),
        (sidecar(SPEC, postprocess=DetectionSpec(decoder="yolo")), "decoder 'yolo' is not known; known are yolov8, yolov5"),
        (sidecar(SPEC, postprocess=RecognitionSpec()), "recognition needs the character of every class"),
        (sidecar(SPEC, outputs=(HEAD, HEAD)), "'net' has 2 outputs, classification reads one"),
        (sidecar(SPEC, states=(STATE,)), "'net' keeps state from call to call: the app runs each frame for itself"),
        (sidecar(SPEC, postprocess=None), "does not say what its outputs mean"),
        (sidecar(SPEC, preprocess=None), "does not say how pictures become inputs"),
        (sidecar(SPEC, labels=("one",)), "1 labels for 10 classes"),
        (sidecar(SPEC, min_runtime_version="2.17.0"), "needs runtime 2.17.0, the app has 2.16.1"),
    ],
    ids=["segmentation", "decoder", "recognition", "outputs", "states", "no postprocess", "no preprocess", "labels", "runtime"],
)  # fmt: skip
def test_refuses_what_the_app_could_not_run(document: Sidecar, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_runs(document)


@pytest.mark.parametrize(
    ("outputs", "spec", "labels"),
    [
        ((HEAD,), DetectionSpec(decoder="yolov8"), None),
        ((tensor("out", (1, 5, 3), "float32", None),), RecognitionSpec(), ("", "o", "k")),
    ],
    ids=["detection", "recognition"],
)
def test_takes_every_task_of_the_app(
    outputs: tuple[TensorSpec, ...], spec: Any, labels: tuple[str, ...] | None
) -> None:
    check_runs(sidecar(SPEC, outputs=outputs, postprocess=spec, labels=labels))


def test_refuses_files_that_do_not_fit(app: Path, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "mine.apk"
    (tmp_path / "text.tflite").write_text("no model")
    with pytest.raises(InputError, match=r"text\.tflite"):
        package(tmp_path / "text.tflite", output, app=app)
    with pytest.raises(InputError, match=r"cannot read .*none\.tflite"):
        package(tmp_path / "none.tflite", output, app=app)
    model.with_suffix(".json").write_text(sidecar(SPEC).to_json())
    with pytest.raises(InputError, match="describes another file"):
        package(model, output, app=app)
    with pytest.raises(InputError, match="there is no sidecar"):
        package(model, output, sidecar=tmp_path / "none.json", app=app)
    assert not output.exists()


def test_refuses_apps_and_places_that_do_not_fit(
    app: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zip.apk").write_bytes(zip_entries([Entry("a", b"")]))
    with pytest.raises(InputError, match=r"is no prebuilt app: it holds no classes\.dex"):
        package(model, tmp_path / "mine.apk", app=tmp_path / "zip.apk")
    with pytest.raises(OutputError, match="it is a folder"):
        package(model, tmp_path, app=app)
    monkeypatch.setenv("MOBILEKIT_ANDROID_APP", str(tmp_path / "nowhere.apk"))
    with pytest.raises(InputError, match=r"cannot read the app .*nowhere\.apk"):
        package(model, tmp_path / "mine.apk")


def test_the_runtime_is_the_one_that_is_built_in() -> None:
    pins = (ROOT / "constraints" / "android.txt").read_text()
    assert f"org.tensorflow:tensorflow-lite:{'.'.join(map(str, RUNTIME_VERSION))}:aar " in pins


def test_the_command(app: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.apk"
    words = ["android", str(model), "-o", str(output), "--base", str(app)]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"{output}: net, 0.0")
    first = output.read_bytes()
    moved = model.with_suffix(".json").rename(tmp_path / "described.json")
    assert main([*words, "--sidecar", str(moved), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["sha256"]) == ("android", hashlib.sha256(first).hexdigest())


def test_the_command_says_where_the_app_comes_from(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MOBILEKIT_ANDROID_APP", raising=False)
    # By its name in sys.modules: the package's attribute of that name is the function.
    monkeypatch.setattr(sys.modules["mobilekit.android.package"], "__file__", str(tmp_path / "a" / "b" / "package.py"))
    assert main(["android", str(model), "-o", str(tmp_path / "mine.apk")]) == 1
    said = capsys.readouterr().err
    assert "there is no prebuilt app: run `make apk`" in said
    assert "--base or MOBILEKIT_ANDROID_APP" in said
    assert not (tmp_path / "mine.apk").exists()


def test_an_interrupted_write_leaves_the_old_app(
    app: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "mine.apk"
    output.write_bytes(b"old")
    before = sorted(tmp_path.iterdir())

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stop)
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        package(model, output, app=app)
    assert output.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == before
