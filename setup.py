"""Builds the extension ``mobilekit._native`` (everything else is in pyproject.toml).

The kernels are listed once, in cpp/sources.txt, which CMakeLists.txt reads as well. A machine without a C++ compiler
still gets a working package: the extension is optional, and ``mobilekit.kernels`` then warns and runs on NumPy. Set
MOBILEKIT_REQUIRE_NATIVE=1 to make a failed build an error.
"""

from __future__ import annotations

import os
from pathlib import Path

from pybind11.setup_helpers import Pybind11Extension, build_ext
from setuptools import setup


def kernel_sources() -> list[str]:
    lines = Path("cpp/sources.txt").read_text(encoding="utf-8").splitlines()
    return [f"cpp/{line.strip()}" for line in lines if line.strip() and not line.startswith("#")]


# -ffp-contract=off: a fused multiply-add would give other bits on Arm than on x86 (cpp/include/mobilekit/isa.h).
# -fno-trapping-math: nobody reads floating-point exceptions, and without it no loop with a comparison is vectorised.
GCC_FLAGS = ["-O3", "-ffp-contract=off", "-fno-trapping-math", "-Wall", "-Wextra"]
FLAGS = GCC_FLAGS if os.name != "nt" else ["/O2", "/fp:precise"]

setup(
    ext_modules=[
        Pybind11Extension(
            "mobilekit._native",
            [*kernel_sources(), "cpp/bindings/python.cc"],
            include_dirs=["cpp/include"],
            depends=["cpp/sources.txt", *map(str, sorted(Path("cpp").glob("**/*.h")))],
            cxx_std=17,
            extra_compile_args=FLAGS,
            optional=os.environ.get("MOBILEKIT_REQUIRE_NATIVE") != "1",
        )
    ],
    cmdclass={"build_ext": build_ext},
)
