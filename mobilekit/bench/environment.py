"""The machine that the numbers belong to. Linux tells most of it; what cannot be read is None, never a guess."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilekit import runtime
from mobilekit._version import __version__

# Instruction sets that the kernels and XNNPACK choose by; the other hundred flags say nothing about speed.
_FLAGS = ("avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "amx_int8")
_ARM_FLAGS = ("asimd", "asimddp", "i8mm", "sve", "sve2", "fphp", "asimdhp")


@dataclass(frozen=True)
class Environment:
    """Machine facts at the start of a run."""

    cpu: str
    flags: tuple[str, ...]
    cores: int
    """That this process may use."""
    governor: str | None
    virtual: bool
    memory_mb: float | None
    cache_mb: float | None
    """Last-level cache of the first core."""
    load_average: float | None
    """Of the last minute, before the run."""
    steal_percent: float | None
    """Of all CPU time, during the run; None before it and where it cannot be read."""
    kernel: str
    python: str
    numpy: str
    mobilekit: str
    runtime: str

    def as_dict(self) -> dict[str, Any]:
        """Of JSON's own types, so that a report reads back equal."""
        return {**asdict(self), "flags": list(self.flags)}


def environment() -> Environment:
    info = _read(Path("/proc/cpuinfo"))
    flags = set(_field(info, "flags").split()) | set(_field(info, "Features").split())
    return Environment(
        cpu=_field(info, "model name") or platform.processor() or platform.machine(),
        flags=tuple(f for f in (*_FLAGS, *_ARM_FLAGS) if f in flags),
        cores=usable_cores(),
        governor=_read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")).strip() or None,
        virtual="hypervisor" in flags,
        memory_mb=_memory_mb(),
        cache_mb=_cache_mb(),
        load_average=_or_none(lambda: os.getloadavg()[0]),
        steal_percent=None,
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=np.__version__,
        mobilekit=__version__,
        runtime=runtime.describe(),
    )


def usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_ticks() -> tuple[int, int] | None:
    """(stolen, all) ticks of all cores since boot."""
    line = _read(Path("/proc/stat")).split("\n", 1)[0].split()
    if len(line) < 9 or line[0] != "cpu":
        return None
    # user nice system idle iowait irq softirq steal; guest time is already inside user.
    ticks = [int(t) for t in line[1:9]]
    return ticks[7], sum(ticks)


def steal_percent(before: tuple[int, int] | None, after: tuple[int, int] | None) -> float | None:
    if before is None or after is None or after[1] <= before[1]:
        return None
    return 100 * (after[0] - before[0]) / (after[1] - before[1])


def rss_mb() -> float:
    """Resident memory of this process now; 0 where it cannot be read."""
    fields = _read(Path("/proc/self/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if len(fields) > 1 else 0.0


def reset_peak_rss() -> None:
    """Forget the peak so far (of an import, of a conversion), so that the next reading belongs to the run.

    Where the kernel refuses, the peak is the process's own since its start: larger, never smaller.
    """
    _or_none(lambda: Path("/proc/self/clear_refs").write_text("5"))


def peak_rss_mb() -> float:
    peak = _field(_read(Path("/proc/self/status")), "VmHWM")
    if peak:
        return int(peak.split()[0]) * 1024 / 1e6
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _memory_mb() -> float | None:
    total = _field(_read(Path("/proc/meminfo")), "MemTotal")
    return int(total.split()[0]) * 1024 / 1e6 if total else None


def _cache_mb() -> float | None:
    sizes = [_read(p).strip() for p in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"))]
    kilobytes = [int(s[:-1]) for s in sizes if s.endswith("K") and s[:-1].isdigit()]
    return max(kilobytes) * 1024 / 1e6 if kilobytes else None


def _field(text: str, name: str) -> str:
    """The value of the first ``name : value`` line, or nothing."""
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (OSError, AttributeError):  # AttributeError: os.getloadavg on Windows
        return None
