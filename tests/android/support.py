"""What the Android tests share: the build script as a module, skips that say why, the kernels' cases as bytes."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mobilekit.kernels.image import FORMATS
from mobilekit.kernels.request import CHANNELS, COLORS, DTYPES, FILTERS, LAYOUTS, PreprocessRequest
from mobilekit.sidecar import AffineSpec, DetectionSpec
from mobilekit.tasks.detection import DECODERS

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "android_demo"


def module(name: str) -> ModuleType:
    """``android_demo/NAME.py``; the folder is no package."""
    known = f"android_demo_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, DEMO / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


def need(programs: dict[str, str]) -> None:
    """Skip where a program is missing; ``programs`` is program -> Debian's package."""
    missing = {program: package for program, package in programs.items() if shutil.which(program) is None}
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        pytest.skip(f"not on the PATH: {', '.join(missing)} (Debian: apt-get install {packages})")


def built_app() -> Path:
    """The APK of ``make apk``."""
    apk = DEMO / "build" / "mobilekit-demo.apk"
    if not apk.is_file():
        pytest.skip("there is no android_demo/build/mobilekit-demo.apk: make apk")
    return apk


def plan_arrays(request: PreprocessRequest) -> tuple[list[int], list[float], list[float]]:
    """(ints, crop, levels) as ``Kernels.writePlan`` takes them."""
    image = request.image
    strides = [*image.row_strides, 0, 0][:3]
    height, width = request.out_size
    ints = [
        FORMATS.index(image.format), image.width, image.height, image.chroma_pixel_stride, *strides, request.rotation,
        int(request.mirror), FILTERS.index(request.filter), COLORS.index(request.color), width, height,
        CHANNELS.index(request.channels), DTYPES.index(request.dtype), LAYOUTS.index(request.layout), *request.rect,
    ]  # fmt: skip
    levels = [
        (value * 3)[:3] if len(value) == 1 else value for value in (request.pad_level, request.multiply, request.add)
    ]
    return ints, list(request.crop), [x for value in levels for x in value]


def case_bytes(request: PreprocessRequest) -> bytes:
    """One case of jni_driver.cc."""
    ints, crop, levels = plan_arrays(request)
    planes = [plane.tobytes() for plane in request.image.planes]
    planes += [b""] * (3 - len(planes))
    out = int(np.prod(request.shape)) * np.dtype(request.dtype).itemsize
    head = struct.pack("<i20i4d9f", 0, *ints, *crop, *levels) + struct.pack("<4q", *map(len, planes), out)
    return head + b"".join(planes)


def _dtype(values: np.ndarray) -> int:
    return DTYPES.index(str(values.dtype))


def head_bytes(values: np.ndarray, request: PreprocessRequest, spec: DetectionSpec, q: AffineSpec | None) -> bytes:
    """The output of a YOLO head over the frame of ``request``, as a case of jni_driver.cc."""
    decoder = DECODERS[spec.decoder]
    first = decoder.layout == "channels-first"
    channels, anchors = values.shape[-2:] if first else values.shape[:-3:-1]
    numbers = (
        1, _dtype(values), q.zero_point if q else 0, anchors, channels - 4 - decoder.objectness, 0 if first else 1,
        int(decoder.objectness), spec.max_results, 0,
    )  # fmt: skip
    ints, crop, levels = plan_arrays(request)
    return (
        struct.pack("<9i3d", *numbers, q.scale if q else 1.0, spec.score_threshold, spec.iou_threshold)
        + struct.pack("<20i4d9f", *ints, *crop, *levels)
        + struct.pack("<q", values.nbytes)
        + values.tobytes()
    )


def text_bytes(values: np.ndarray, blank: int, q: AffineSpec | None) -> bytes:
    """Steps x classes as a case of jni_driver.cc."""
    steps, classes = values.shape[-2:]
    numbers = (2, _dtype(values), q.zero_point if q else 0, steps, classes, blank, q.scale if q else 1.0)
    return struct.pack("<6id", *numbers) + struct.pack("<q", values.nbytes) + values.tobytes()


def run_checked(command: Iterable[str | Path], **options: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return str(done.stdout)


def in_path(folder: Path) -> dict[str, str]:
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
