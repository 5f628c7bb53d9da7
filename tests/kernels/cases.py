"""The cases of cpp/tests/preprocess_cases.txt as requests of :mod:`mobilekit.kernels`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobilekit.kernels.image import PIXEL_BYTES, Image
from mobilekit.kernels.request import PreprocessRequest

LIST = Path(__file__).parents[2] / "cpp" / "tests" / "preprocess_cases.txt"
COLUMNS = (
    "format", "width", "height", "pad", "misalign", "crop", "rotation", "mirror", "filter", "color", "out_width",
    "out_height", "channels", "dtype", "layout", "rect", "normalization",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Case:
    line: int
    fields: dict[str, str]

    def __str__(self) -> str:
        return f"line{self.line}"

    def number(self, name: str) -> int:
        return int(self.fields[name])

    def image(self) -> Image:
        rng = np.random.default_rng(self.line)
        width, height, pad = self.number("width"), self.number("height"), self.number("pad")
        name = self.fields["format"]

        def plane(row_bytes: int, rows: int) -> np.ndarray:
            misalign = self.number("misalign")
            size = (rows - 1) * (row_bytes + pad) + row_bytes
            return rng.integers(0, 256, misalign + size, dtype=np.uint8)[misalign:]

        if name in PIXEL_BYTES:
            row = width * PIXEL_BYTES[name]
            return Image(name, width, height, (plane(row, height),), (row + pad,))
        y = plane(width, height)
        columns, rows = (width + 1) // 2, (height + 1) // 2
        if name in ("nv21", "nv12"):
            pair, stride = plane(2 * columns, rows), 2 * columns + pad
            u, v = (pair[1:], pair) if name == "nv21" else (pair, pair[1:])
            return Image("yuv420", width, height, (y, u, v), (width + pad, stride, stride), 2)
        step = 2 if name == "yuv420-far" else 1
        row = (columns - 1) * step + 1
        u, v = plane(row, rows), plane(row, rows)
        return Image("yuv420", width, height, (y, u, v), (width + pad, row + pad, row + pad), step)

    def request(self) -> PreprocessRequest:
        f = self.fields
        image = self.image()
        out = (self.number("out_height"), self.number("out_width"))
        depth = 1 if f["channels"] == "gray" else 3
        multiply, add = {"levels": (1.0, 0.0), "int8": (1.0, -128.0), "imagenet": (1 / 57, -2.1)}[f["normalization"]]
        crop = (0.0, 0.0, float(image.width), float(image.height))
        return PreprocessRequest(
            image=image,
            crop=crop if f["crop"] == "-" else tuple(float(x) for x in f["crop"].split(",")),  # type: ignore[arg-type]
            rotation=self.number("rotation"),
            mirror=f["mirror"] == "1",
            filter=f["filter"],
            color=f["color"],
            out_size=out,
            channels=f["channels"],
            dtype=f["dtype"],
            layout=f["layout"],
            rect=(0, 0, out[1], out[0]) if f["rect"] == "-" else tuple(int(x) for x in f["rect"].split(",")),  # type: ignore[arg-type]
            pad_level=tuple(114.0 + c for c in range(depth)),
            multiply=(float(np.float32(multiply)),) * depth,
            add=(float(np.float32(add)),) * depth,
        )


def read_cases() -> list[Case]:
    cases = []
    for line, text in enumerate(LIST.read_text(encoding="utf-8").splitlines(), 1):
        if text and not text.startswith("#"):
            cases.append(Case(line, dict(zip(COLUMNS, text.split(), strict=True))))
    return cases
