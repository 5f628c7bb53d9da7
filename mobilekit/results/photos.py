"""What a model answers to single pictures, before and after conversion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One class with its probability."""

    index: int
    label: str
    probability: float


@dataclass(frozen=True)
class PhotoAnswer:
    """One picture: the answers of the PyTorch model and of the file, best first."""

    name: str
    thumbnail_jpeg: bytes
    truth: int | None
    """Index of the right class, None where nobody knows."""
    truth_label: str
    reference: tuple[Answer, ...]
    converted: tuple[Answer, ...]

    @property
    def agrees(self) -> bool:
        return self.reference[0].index == self.converted[0].index

    @property
    def reference_right(self) -> bool | None:
        return None if self.truth is None else self.reference[0].index == self.truth

    @property
    def converted_right(self) -> bool | None:
        return None if self.truth is None else self.converted[0].index == self.truth


@dataclass(frozen=True)
class PhotoReport:
    """All the pictures of one evaluation."""

    data: str
    """What the pictures are, in words, and that none was used for calibration."""
    photos: tuple[PhotoAnswer, ...]

    @property
    def agreement(self) -> int:
        """How many pictures get the same first answer."""
        return sum(photo.agrees for photo in self.photos)

    @property
    def labelled(self) -> int:
        return sum(photo.truth is not None for photo in self.photos)

    @property
    def reference_right(self) -> int:
        return sum(photo.reference_right is True for photo in self.photos)

    @property
    def converted_right(self) -> int:
        return sum(photo.converted_right is True for photo in self.photos)
