"""The segmentation models there are, by the name that jobs use. A new model adds its line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentationModel:
    """A model that outlines a tumor.

    Args:
        title: what the panel calls it.
        description: images it needs and regions it gives, in one sentence.
    """

    title: str
    description: str


SEGMENTATION_MODELS: dict[str, SegmentationModel] = {}
