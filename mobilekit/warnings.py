"""Warnings: what a user should know although nothing failed."""

from __future__ import annotations


class MobilekitWarning(UserWarning):
    """Base of every warning that mobilekit gives; silence or escalate it with Python's own filters."""


class SyntheticCalibrationWarning(MobilekitWarning):
    """int8 ranges were chosen on noise, since no calibration data was given."""
