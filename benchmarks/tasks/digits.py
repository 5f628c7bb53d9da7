"""A CRNN (convolutions, a bidirectional LSTM, CTC) that is trained here, briefly and seeded, on drawn numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.tasks.common import CALIBRATION_SEED, Case, Subject, Task, ctc_text, font, sensor, share

HEIGHT, WIDTH = 32, 128
TRAINING_SEED = 100_000
FACES = ("DejaVuSans", "DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif")
STEPS, BATCH = 700, 32


def line(seed: int) -> Case:
    """Five to seven digits in one of four faces, uneven ground, blur and noise; grey."""
    rng = np.random.default_rng(seed)
    text = "".join(map(str, rng.integers(0, 10, int(rng.integers(5, 8)))))
    face = font(str(rng.choice(FACES)), int(rng.integers(19, 24)))
    ground, ink = (float(v) for v in (rng.uniform(120, 230), rng.uniform(10, 80)))
    image = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).text((int(rng.integers(2, 9)), int(rng.integers(1, 7))), text, font=face, fill=255)
    mask = np.asarray(image, np.float32) / 255
    light = cv2.resize(rng.uniform(0.75, 1.1, (2, 3)).astype(np.float32), (WIDTH, HEIGHT))
    pixels = np.clip((ground * (1 - mask) + ink * mask) * light, 0, 255).astype(np.uint8)
    return Case(sensor(pixels, rng, (0.3, 1.4), (2, 14)), text=text)


def _input(case: Case) -> np.ndarray:
    """float32 [1, 32, 128, 1] in [-1, 1]."""
    return (case.image.astype(np.float32) / 127.5 - 1)[None, :, :, None]


@functools.cache
def _trained() -> Any:
    import torch
    from torch import nn

    class Crnn(nn.Module):
        """[n, 1, 32, 128] -> class scores [n, 32, 11]."""

        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            for inputs, outputs, pool in ((1, 24, (2, 2)), (24, 48, (2, 2)), (48, 64, (2, 1)), (64, 64, (4, 1))):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
                layers.append(nn.MaxPool2d(pool))
            self.features = nn.Sequential(*layers)
            self.lstm = nn.LSTM(64, 48, bidirectional=True, batch_first=True)
            self.head = nn.Linear(96, 11)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            steps = self.features(x).squeeze(2).transpose(1, 2)
            return self.head(self.lstm(steps)[0])

    # One thread: the order of a sum, and so the weights, depend on the number of threads; on busy cores it is faster.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Crnn()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=STEPS)
    loss_of = nn.CTCLoss(zero_infinity=True)
    for step in range(STEPS):
        cases = [line(TRAINING_SEED + step * BATCH + i) for i in range(BATCH)]
        x = torch.from_numpy(np.concatenate([_input(case) for case in cases]).transpose(0, 3, 1, 2).copy())
        target = torch.tensor([int(digit) + 1 for case in cases for digit in case.text])
        lengths = torch.tensor([len(case.text) for case in cases])
        scores = model(x).log_softmax(-1).transpose(0, 1)
        loss = loss_of(scores, target, torch.full((BATCH,), scores.shape[0]), lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"training the CRNN: step {step + 1} of {STEPS}, loss {loss.item():.3f}", flush=True)
    torch.set_num_threads(threads)
    return model.eval()


def _torch() -> tuple[Any, Any]:
    import torch

    return _trained(), torch.zeros(1, 1, HEIGHT, WIDTH)


def _tasks(count: int) -> list[Task]:
    cases = [line(seed) for seed in range(count)]

    def judge(index: int, outputs: Sequence[np.ndarray]) -> bool:
        return ctc_text(outputs[0].reshape(-1, 11).argmax(-1), "0123456789") == cases[index].text

    return [Task("CRNN with an LSTM, exact digit lines (synthetic)", [_input(c) for c in cases], judge, share)]


CRNN = Subject("crnn", _tasks, lambda: [[_input(line(CALIBRATION_SEED + seed))] for seed in range(32)], torch=_torch)
