"""The Android demo app: put a model of your own into it, with Python alone.

>>> from mobilekit.android import package
>>> package("net.tflite", "app.apk")
"""

from __future__ import annotations

from mobilekit.android.package import Packaged, package

__all__ = ["Packaged", "package"]
