"""Pictures become what the sidecar says; the values are recomputed here in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.sidecar import AffineSpec, PreprocessSpec, Sidecar, TensorSpec
from mobilekit.tasks.preprocess import PRESETS, Preprocess, as_image, preset


def _tensor(dtype: str = "int8", shape: tuple[int, ...] = (1, 8, 8, 3)) -> TensorSpec:
    return TensorSpec(
        name="x",
        shape=shape,
        dtype=dtype,
        quantization=AffineSpec(scale=0.02, zero_point=-5) if dtype == "int8" else None,
        model_shape=(1, 3, 8, 8),
        model_dtype="float32",
        order=(0, 2, 3, 1),
    )


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


@pytest.mark.parametrize("name", PRESETS)
def test_real_is_what_pytorch_takes(picture: np.ndarray, name: str) -> None:
    spec = preset(name, 8, 8).model_copy(update={"crop_fraction": 1.0})  # the same size: no resampling, exact pixels
    got = Preprocess(spec).real(picture)
    expected = (picture.astype(np.float64) - np.array(spec.mean)) / np.array(spec.std)
    assert got.dtype == np.float32
    assert got.shape == (1, 3, 8, 8)
    # One multiply and one add in float32 on values up to 255: 255 * 2**-23 of absolute error at the most.
    np.testing.assert_allclose(got[0].transpose(1, 2, 0), expected, atol=255 * 2**-23, rtol=1e-6)


def test_call_is_what_the_file_takes(picture: np.ndarray) -> None:
    spec = preset("minus-one-to-one", 8, 8)
    got = Preprocess(spec, _tensor())(picture)
    real = (picture.astype(np.float64) - 127.5) / 127.5
    exact = real / 0.02 - 5
    assert got.dtype == np.int8
    assert got.shape == (1, 8, 8, 3)
    # Half a step of rounding, and a float32 multiply-add before it.
    assert np.abs(got[0] - np.clip(exact, -128, 127)).max() <= 0.5 + 1e-4


def test_layout_follows_the_file(picture: np.ndarray) -> None:
    spec = preset("levels", 8, 8)
    nhwc = Preprocess(spec, _tensor("float32"))(picture)
    nchw = Preprocess(spec, _tensor("float32", (1, 3, 8, 8)))(picture)
    assert np.array_equal(nhwc.transpose(0, 3, 1, 2), nchw)
    assert np.array_equal(nhwc[0], picture.astype(np.float32))


def test_channel_order(picture: np.ndarray) -> None:
    spec = PreprocessSpec(height=8, width=8, channels="bgr", mean=(0,), std=(1,))
    assert np.array_equal(Preprocess(spec).real(picture)[0].transpose(1, 2, 0), picture[:, :, ::-1].astype(np.float32))


def test_pictures_in_every_form(picture: np.ndarray) -> None:
    pillow = pytest.importorskip("PIL.Image")
    real = Preprocess(preset("levels", 8, 8)).real
    expected = real(picture)
    alpha = np.full((8, 8, 1), 128, np.uint8)
    forms: list[Any] = [pillow.fromarray(picture), np.concatenate([picture, alpha], 2), as_image(picture)]
    for form in forms:
        assert np.array_equal(real(form), expected)
    gray = picture[:, :, 0]
    assert np.array_equal(real(gray), real(np.repeat(gray[:, :, None], 3, 2)))


def test_center_crop_cuts_the_edges_off() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[4:12, 4:12] = 200
    spec = PreprocessSpec(height=8, width=8, fit="center_crop", crop_fraction=0.5, mean=(0,), std=(1,))
    assert np.all(Preprocess(spec).real(picture) == 200)


def test_what_is_no_picture() -> None:
    real = Preprocess(preset("levels", 8, 8)).real
    with pytest.raises(InputError, match="a str is no picture"):
        real("photo.jpg")
    with pytest.raises(ValueError, match="expected shape"):
        real(np.zeros((8, 8, 2), np.uint8))


def test_a_file_input_is_needed() -> None:
    with pytest.raises(InputError, match="does not know the file's input"):
        Preprocess(preset("levels", 8, 8))(np.zeros((8, 8, 3), np.uint8))


def test_contradictions_are_refused() -> None:
    with pytest.raises(InputError, match=r"makes 9x8 pixels of 3 channels, but its input 'x' is \[1, 8, 8, 3\]"):
        Preprocess(preset("levels", 9, 8), _tensor())
    with pytest.raises(InputError, match="known are imagenet"):
        preset("imagnet", 8, 8)


def test_sidecars_without_pictures() -> None:
    sidecar = Sidecar(
        model="net",
        mobilekit_version="0",
        sha256="",
        min_runtime_version="",
        quantize="none",
        inputs=(_tensor(),),
        outputs=(),
    )
    with pytest.raises(InputError, match="does not say how pictures become inputs"):
        Preprocess.from_sidecar(sidecar)
    two = sidecar.model_copy(update={"preprocess": preset("levels", 8, 8), "inputs": (_tensor(), _tensor())})
    with pytest.raises(InputError, match="takes 2 inputs"):
        Preprocess.from_sidecar(two)
