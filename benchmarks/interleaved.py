"""Inference time of several files in one process, in turns, so that a slow moment of the machine hits all of them.

Where an interpreter's memory happens to lie is worth 2 to 3 % for its whole life: equal graphs differ by that. So the
interpreters are made anew several times, in another order each time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import numpy as np

from mobilekit.runtime import Interpreter

WARM_UP_ROUNDS = 2
_MAX_RUNS_A_TURN = 50


def time_interleaved(
    files: Mapping[str, bytes],
    inputs: Mapping[str, Sequence[np.ndarray]],
    *,
    lives: int = 4,
    rounds: int = 40,
    turn_ms: float = 4.0,
    budget_s: float = 4.0,
) -> dict[str, list[float]]:
    """Milliseconds of thread CPU a run of each file, one thread: each value is the mean of one turn.

    ``rounds`` turns of each file over all ``lives`` interpreters; fewer (three a life at least) where they would take
    longer than ``budget_s`` in all. A turn is as many runs as fill ``turn_ms``: a shorter one would measure the clock
    and the first touch of cold caches.
    """
    once = {name: _once_ms(data, inputs[name]) for name, data in files.items()}
    runs = {name: min(_MAX_RUNS_A_TURN, max(1, round(turn_ms / ms))) for name, ms in once.items()}
    round_s = sum(ms * (runs[name] + 1) for name, ms in once.items()) / 1e3
    a_life = max(3, min(-(-rounds // lives), int(budget_s / lives / round_s) - WARM_UP_ROUNDS))
    times: dict[str, list[float]] = {name: [] for name in files}
    names = list(files)
    for life in range(lives):
        order = names[life % len(names) :] + names[: life % len(names)]
        interpreters = {name: Interpreter(files[name]) for name in order}
        for turn in range(-WARM_UP_ROUNDS, a_life):
            for name in order if turn % 2 else order[::-1]:
                interpreter = interpreters[name]
                interpreter.run(inputs[name])  # refills the caches that the last file emptied
                start = time.thread_time_ns()
                for _ in range(runs[name]):
                    interpreter.invoke()
                if turn >= 0:
                    times[name].append((time.thread_time_ns() - start) / runs[name] / 1e6)
    return times


def _once_ms(data: bytes, inputs: Sequence[np.ndarray]) -> float:
    interpreter = Interpreter(data)
    interpreter.run(inputs)
    start = time.perf_counter()
    interpreter.run(inputs)
    return max((time.perf_counter() - start) * 1e3, 1e-3)


def pairwise_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of ours / theirs, pair by pair: both values of a pair come from the same moment."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
