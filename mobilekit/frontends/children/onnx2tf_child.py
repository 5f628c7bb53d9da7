"""Run by mobilekit in an environment that has onnx2tf: model.onnx -> out/model.tflite. Imports nothing of ours."""

import shutil
from pathlib import Path

import numpy as np

# onnx2tf reads this array when it wants sample images, and downloads it when it is not in the working directory.
np.save(
    "calibration_image_sample_data_20x128x128x3_float32.npy",
    np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32),
)
# onnx2tf simplifies its input in place.
shutil.copyfile("model.onnx", "work.onnx")

import onnx2tf  # noqa: E402  # after the array lies there

onnx2tf.convert(
    input_onnx_file_path="work.onnx",
    output_folder_path="out",
    output_signaturedefs=True,
    copy_onnx_input_output_names_to_tflite=True,
    non_verbose=True,
)
Path("out/work_float32.tflite").replace("out/model.tflite")
