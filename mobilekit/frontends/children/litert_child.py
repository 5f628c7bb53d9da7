"""Run by mobilekit in an environment that has litert-torch: model.pt2 -> out/model.tflite. Imports nothing of ours."""

from pathlib import Path

import litert_torch
import torch

program = torch.export.load("model.pt2")
args, kwargs = program.example_inputs
Path("out").mkdir(exist_ok=True)
litert_torch.convert(program.module(), tuple(args), sample_kwargs=dict(kwargs) or None).export("out/model.tflite")
