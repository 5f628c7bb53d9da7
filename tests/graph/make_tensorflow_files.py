"""Write one .tflite file for each kind of model that TensorFlow's converter makes differently.

Runs in the classic environment (``python make_tensorflow_files.py FOLDER``), as a child of the tests: TensorFlow is
imported once for all files. The models are tiny and seeded; what counts is the shape of the files, not the answers.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
import tf_keras

keras = tf.keras
Spec = tf.TensorSpec


def _cnn() -> tf.keras.Model:
    return keras.Sequential(
        [
            keras.layers.Input((16, 16, 3), batch_size=1),
            keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(6.0),
            keras.layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            keras.layers.Conv2D(16, 1),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def _images() -> Iterator[list[np.ndarray]]:
    random = np.random.default_rng(0)
    for _ in range(8):
        yield [random.standard_normal((1, 16, 16, 3), np.float32)]


def cnn_float() -> bytes:
    return tf.lite.TFLiteConverter.from_keras_model(_cnn()).convert()


def cnn_float16() -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(_cnn())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return converter.convert()


def cnn_dynamic_range() -> bytes:
    # The converter quantizes only weights of 1024 elements and more.
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 16), batch_size=1),
            keras.layers.Conv2D(32, 3),
            keras.layers.Flatten(),
            keras.layers.Dense(8),
        ]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def cnn_int8() -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(_cnn())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def cnn_int16x8() -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(_cnn())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    return converter.convert()


def cnn_sparse() -> bytes:
    """Weights stored sparse: the tensor carries the schema's SparsityParameters."""
    weights = np.zeros((64, 64), np.float32)
    weights[::4, ::4] = 1.0

    @tf.function(input_signature=[Spec((1, 64), tf.float32)])
    def call(x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, tf.constant(weights))

    converter = _from_function(call)
    converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    return converter.convert()


def _lstm(layers: Any) -> Any:
    return layers.Sequential(
        [
            layers.layers.Input((5, 4), batch_size=1),
            layers.layers.LSTM(6, return_sequences=True),
            layers.layers.Dense(3),
        ]
    )


def lstm_unfused() -> bytes:
    """Keras 3: the loop over time is a WHILE with its state in tensors."""
    return tf.lite.TFLiteConverter.from_keras_model(_lstm(keras)).convert()


def lstm_fused() -> bytes:
    """Keras 2: UNIDIRECTIONAL_SEQUENCE_LSTM with left-out inputs and variable state tensors."""
    return tf.lite.TFLiteConverter.from_keras_model(_lstm(tf_keras)).convert()


def lstm_int8() -> bytes:
    """The fused LSTM in int8: quantized intermediates as well."""

    def sequences() -> Iterator[list[np.ndarray]]:
        random = np.random.default_rng(0)
        for _ in range(4):
            yield [random.standard_normal((1, 5, 4), np.float32)]

    converter = tf.lite.TFLiteConverter.from_keras_model(_lstm(tf_keras))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = sequences
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return converter.convert()


def dynamic_batch() -> bytes:
    """A dynamic dimension: shape_signature holds -1."""

    @tf.function(input_signature=[Spec((None, 4), tf.float32)])
    def call(x: tf.Tensor) -> tf.Tensor:
        return tf.reshape(tf.nn.relu(x @ tf.ones((4, 6))), (-1, 2, 3))

    return _from_function(call).convert()


def control_flow() -> bytes:
    """WHILE and IF: bodies are further subgraphs."""

    @tf.function(input_signature=[Spec((2, 2), tf.float32), Spec((), tf.int32)])
    def call(x: tf.Tensor, n: tf.Tensor) -> tf.Tensor:
        def body(i: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, tf.matmul(y, x) * 0.5

        _, y = tf.while_loop(lambda i, y: i < n, body, (tf.constant(0), x))
        return tf.cond(tf.reduce_sum(y) > 0.0, lambda: y + 1.0, lambda: y - 1.0)

    return _from_function(call).convert()


def two_signatures() -> bytes:
    """Two entry points: each is a subgraph with a signature of its own."""

    class Model(tf.Module):
        @tf.function(input_signature=[Spec((1, 3), tf.float32, "image")])
        def encode(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"code": image * 2.0 + 1.0}

        @tf.function(input_signature=[Spec((1, 3), tf.float32, "code")])
        def decode(self, code: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"image": (code - 1.0) / 2.0, "energy": tf.reduce_sum(code * code)}

    return _from_saved_model(Model(), "encode", "decode")


def variables() -> bytes:
    """State across calls: VAR_HANDLE, ASSIGN_VARIABLE, and CALL_ONCE of an initialiser subgraph."""

    class Counter(tf.Module):
        def __init__(self) -> None:
            self.total = tf.Variable(tf.ones((3,)), name="total")

        @tf.function(input_signature=[Spec((3,), tf.float32)])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            self.total.assign_add(x)
            return self.total.read_value()

    counter = Counter()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([counter.__call__.get_concrete_function()], counter)
    converter.experimental_enable_resource_variables = True
    return converter.convert()


def strings() -> bytes:
    """String tensors and constants, and a hash table (resource tensors)."""
    keys, values = tf.constant(["cat", "dog", "bird"]), tf.constant([1, 2, 3], tf.int64)
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)

    class Model(tf.Module):
        def __init__(self) -> None:
            self.table = table

        @tf.function(input_signature=[Spec((2,), tf.int32)])
        def __call__(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            words = tf.gather(tf.constant(["bird", "cow", "cat", ""]), index)
            return self.table.lookup(words), words

    model = Model()
    return tf.lite.TFLiteConverter.from_concrete_functions([model.__call__.get_concrete_function()], model).convert()


def odd_constants() -> bytes:
    """Boolean, scalar, int64 and empty constants; a graph output that is a constant."""

    @tf.function(input_signature=[Spec((2, 3), tf.float32)])
    def call(x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mask = tf.constant([[True, False, True], [False, True, False]])
        empty = tf.constant(np.empty((2, 0), np.float32))
        picked = tf.where(mask, x, tf.constant(3.0))
        return picked, tf.concat([x, empty], 1), tf.cast(tf.shape(x), tf.int64) * tf.constant(2, tf.int64), mask

    return _from_function(call).convert()


def many_ops() -> bytes:
    """One op of each common family, to compare op versions and options."""

    @tf.function(input_signature=[Spec((1, 8, 8, 4), tf.float32), Spec((1, 8), tf.int32)])
    def call(x: tf.Tensor, ids: tf.Tensor) -> tuple[tf.Tensor, ...]:
        up = tf.image.resize(x, (16, 16))
        near = tf.compat.v1.image.resize_nearest_neighbor(x, (16, 16), half_pixel_centers=True)
        deconv = tf.nn.conv2d_transpose(x, tf.ones((3, 3, 2, 4)), (1, 16, 16, 2), 2)
        split = tf.split(x, 2, axis=-1)
        best, where = tf.math.top_k(tf.reshape(x, (1, -1)), 3)
        table = tf.gather(tf.reshape(tf.range(40.0), (10, 4)), ids)
        return (
            up + near,
            deconv,
            tf.concat([split[1], split[0]], -1),
            best,
            where,
            table,
            tf.transpose(x, (0, 3, 1, 2)),
            tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
            tf.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT"),
            x[:, ::2, 1:-1, :],
            tf.strided_slice(x, (0, 0, 0, 0), (1, 4, 4, 4), (1, 2, 2, 1)),
            tf.reduce_mean(x, (1, 2)),
            tf.argmax(x, -1, tf.int32),
            tf.nn.leaky_relu(x) + tf.nn.elu(x) + tf.nn.sigmoid(x) * tf.tanh(x),
            tf.sqrt(tf.abs(x)) + tf.math.rsqrt(tf.abs(x) + 1.0) + tf.exp(x) + tf.math.log(tf.abs(x) + 1.0),
            tf.maximum(x, 0.5) - tf.minimum(x, 0.1) / (tf.square(x) + 1.0),
            tf.matmul(x[0], x[0], transpose_b=True),
            tf.nn.space_to_depth(x, 2),
            tf.nn.depth_to_space(x, 2),
            tf.tile(x, (1, 1, 2, 1)),
            tf.one_hot(ids, 10),
            tf.cumsum(x, 1),
            tf.stack(tf.unstack(x, axis=1), axis=2),
            tf.reverse(x, (1,)),
            tf.cast(x > 0.0, tf.float32),
            tf.nn.local_response_normalization(x),
            tf.nn.l2_normalize(x, -1),
            tf.nn.log_softmax(x),
            tf.math.floormod(ids, 3) + tf.math.floordiv(ids, 2),
            tf.nn.conv3d(tf.reshape(x, (1, 4, 4, 4, 4)), tf.ones((2, 2, 2, 4, 2)), (1, 1, 1, 1, 1), "VALID"),
            tf.nn.gelu(x, approximate=True),
            tf.broadcast_to(x[:, :1], (1, 8, 8, 4)) + tf.fill((1, 8, 8, 4), tf.reduce_max(x)),
            tf.gather_nd(x, [[0, 1, 2], [0, 3, 4]]),
            tf.nn.batch_normalization(x, 0.0, 1.0, 0.5, 2.0, 1e-3),
        )

    return _from_function(call).convert()


def custom_op() -> bytes:
    """A custom op with options of its own bytes: SSD's post-processing, which every runtime carries."""
    options = b"".join(
        [
            b'name: "TFLite_Detection_PostProcess" ',
            b'attr { key: "max_detections" value { i: 3 } } ',
            b'attr { key: "max_classes_per_detection" value { i: 1 } } ',
            b'attr { key: "nms_score_threshold" value { f: 0.1 } } ',
            b'attr { key: "nms_iou_threshold" value { f: 0.5 } } ',
            b'attr { key: "num_classes" value { i: 2 } } attr { key: "use_regular_nms" value { b: false } } ',
            b'attr { key: "y_scale" value { f: 10.0 } } attr { key: "x_scale" value { f: 10.0 } } ',
            b'attr { key: "h_scale" value { f: 5.0 } } attr { key: "w_scale" value { f: 5.0 } } ',
        ]
    )
    anchors = tf.constant(np.random.default_rng(0).random((6, 4)), tf.float32)

    @tf.function(
        input_signature=[Spec((1, 6, 4), tf.float32), Spec((1, 6, 3), tf.float32), Spec((6, 4), tf.float32)],
        experimental_implements=options.decode(),
    )
    def detect(boxes: tf.Tensor, scores: tf.Tensor, anchors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        del boxes, scores, anchors
        return tf.zeros((1, 3, 4)), tf.zeros((1, 3)), tf.zeros((1, 3)), tf.zeros((1,))

    class Model(tf.Module):
        @tf.function(input_signature=[Spec((1, 6, 4), tf.float32), Spec((1, 6, 3), tf.float32)])
        def __call__(self, boxes: tf.Tensor, scores: tf.Tensor) -> dict[str, tf.Tensor]:
            return dict(zip(("boxes", "classes", "scores", "count"), detect(boxes, scores, anchors), strict=True))

    # Only this way in leaves the function whole; from_concrete_functions inlines it first.
    return _from_saved_model(Model(), "__call__")


def _from_saved_model(model: tf.Module, *names: str) -> bytes:
    functions = {name.strip("_"): getattr(model, name).get_concrete_function() for name in names}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(model, folder, signatures=functions)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.allow_custom_ops = True
        return converter.convert()


def _from_function(function: Callable[..., object]) -> tf.lite.TFLiteConverter:
    return tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])


KINDS = (
    cnn_float,
    cnn_float16,
    cnn_dynamic_range,
    cnn_int8,
    cnn_int16x8,
    cnn_sparse,
    lstm_unfused,
    lstm_fused,
    lstm_int8,
    dynamic_batch,
    control_flow,
    two_signatures,
    variables,
    strings,
    odd_constants,
    many_ops,
    custom_op,
)


def main(folder: str) -> None:
    keras.utils.set_random_seed(0)
    for make in KINDS:
        (Path(folder) / f"{make.__name__}.tflite").write_bytes(make())


if __name__ == "__main__":
    main(sys.argv[1])
