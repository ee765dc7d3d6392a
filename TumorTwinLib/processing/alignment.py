"""Where every scan lies in the frame of the first visit's reference, found once and kept as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.brain import stripped_mask
from TumorTwinLib.imaging.coregistration import coregister_visit, coregister_visits, reference_modality
from TumorTwinLib.processing.record import Made

_SAME_BRAIN = 0.95  # Dice of two brains cut out by one mask; the few zeros inside a brain cost less


def align_within(images: Mapping[str, Image], visit: str) -> Made:
    """The scans of one visit in the frame of its reference.

    Scans without skull, on one grid and cut out alike, have been aligned before: they are left as they are.

    Returns:
        Values ``reference``, ``prepared`` (whether they were aligned before) and ``scans``: by modality ``matrix_ras``,
        ``moved_mm`` and ``quality``.
    """
    reference = reference_modality(images)
    if _prepared(images, reference):
        scans = {name: {"matrix_ras": np.eye(4).tolist(), "moved_mm": 0.0, "quality": None} for name in images}
        notice = f"The scans of {visit} are without skull and aligned: they were taken as they are."
        return Made(values={"reference": reference, "prepared": True, "scans": scans}, notices=(notice,))
    found = coregister_visit(images, reference=reference)
    scans = {name: _entry(alignment) for name, alignment in found.alignments.items()}
    return Made(values={"reference": found.reference, "prepared": False, "scans": scans}, notices=found.notices)


def align_across(first: Image, later: Image) -> Made:
    """The reference of a later visit in the frame of the first one's; value ``scan`` as in ``align_within``."""
    _, found = coregister_visits([{"T1": first}, {"T1": later}])  # one scan each: its modality does not matter
    return Made(values={"scan": _entry(found.alignments["T1"])}, notices=found.notices)


def common_grid(reference: Image, spacing_mm: float) -> Grid:
    """Isotropic voxels along the axes of the reference scan; its own where they are of that size already."""
    own = reference.grid
    return own if np.allclose(own.spacing_mm, spacing_mm, rtol=0.01) else own.with_spacing(spacing_mm)


def matrix_of(entry: Mapping[str, Any]) -> np.ndarray:
    """(4, 4) of an entry of ``scans``."""
    return np.array(entry["matrix_ras"])


def _entry(alignment) -> dict[str, Any]:
    quality = None if alignment.quality is None else asdict(alignment.quality)
    return {"matrix_ras": alignment.matrix_ras.tolist(), "moved_mm": alignment.moved_mm, "quality": quality}


def _prepared(images: Mapping[str, Image], reference: str) -> bool:
    first = images[reference]
    if not all(image.grid.same_as(first.grid) for image in images.values()):
        return False
    brain = stripped_mask(first)
    return brain is not None and all(
        _dice(image.array != image.array[0, 0, 0], brain) > _SAME_BRAIN for image in images.values()
    )


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2.0 * float((first & second).sum()) / max(float(first.sum() + second.sum()), 1.0)
