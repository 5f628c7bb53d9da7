"""The sidecar is an interface between machines: strict in what it reads, and it says where a document is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mobilekit.errors import InputError
from mobilekit.sidecar import (
    AffineSpec,
    ClassificationSpec,
    PreprocessSpec,
    SegmentationSpec,
    Sidecar,
    TensorSpec,
)

SIDECAR = Sidecar(
    model="mobilenet_v2",
    mobilekit_version="0.1.0",
    sha256="0" * 64,
    min_runtime_version="2.3.0",
    quantize="int8",
    inputs=(
        TensorSpec(
            name="image",
            shape=(1, 224, 224, 3),
            dtype="int8",
            quantization=AffineSpec(scale=0.0186, zero_point=-14),
            model_shape=(1, 3, 224, 224),
            model_dtype="float32",
            order=(0, 2, 3, 1),
        ),
    ),
    outputs=(
        TensorSpec(
            name="logits",
            shape=(1, 1000),
            dtype="int8",
            model_shape=(1, 1000),
            model_dtype="float32",
            order=(0, 1),
        ),
    ),
    preprocess=PreprocessSpec(height=224, width=224, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)),
    postprocess=ClassificationSpec(k=3),
    labels=("tench", "goldfish"),
)


def changed(**changes: Any) -> str:
    """SIDECAR as JSON with some top-level fields changed; None removes one."""
    document = {**json.loads(SIDECAR.to_json()), **changes}
    return json.dumps({key: value for key, value in document.items() if value is not ...})


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(SIDECAR.to_json(), encoding="utf-8")
    assert Sidecar.read(path) == SIDECAR
    assert Sidecar.read(path).to_json() == SIDECAR.to_json()


def test_the_task_is_told_by_its_kind() -> None:
    again = Sidecar.from_json(changed(postprocess={"kind": "segmentation"}))
    assert again.postprocess == SegmentationSpec()


def test_it_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        SIDECAR.model = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"^net\.json is not JSON: line 1: Expecting property name enclosed in double quotes"),
        ("[]", r"^net\.json: document: Input should be an object"),
        (changed(version=2), r"^net\.json has version 2, this mobilekit reads 1: upgrade mobilekit$"),
        (changed(model=...), r"^net\.json: model: Field required$"),
        (changed(colour="red"), r"^net\.json: colour: Extra inputs are not permitted$"),
        (changed(labels=[1]), r"^net\.json: labels\.0: Input should be a valid string$"),
        (
            changed(postprocess={"kind": "poetry"}),
            r"^net\.json: postprocess: Input tag 'poetry' found using 'kind' does",
        ),
        (
            changed(preprocess={"height": 0, "width": 1, "mean": [0], "std": [1]}),
            r"^net\.json: preprocess\.height: Input should be greater than 0$",
        ),
        (
            changed(
                inputs=[{**json.loads(SIDECAR.to_json())["inputs"][0], "quantization": {"scale": 0, "zero_point": 0}}]
            ),
            r"^net\.json: inputs\.0\.quantization\.scale: Input should be greater than 0$",
        ),
    ],
)
def test_a_wrong_document_is_refused_where_it_is_wrong(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sidecar.from_json(text, "net.json")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^cannot read the sidecar '.*missing\.json': .*No such file"):
        Sidecar.read(tmp_path / "missing.json")
    binary = tmp_path / "net.json"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"^cannot read the sidecar"):
        Sidecar.read(binary)
