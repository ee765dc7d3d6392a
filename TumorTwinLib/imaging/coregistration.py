"""All scans of a visit on its reference, and all visits on the first one's.

Within a visit every scan is matched to the sharpest T1; across visits only those references are matched, and the
matrices chain. Matrices are all that comes out: each scan is resampled once, at the end, however long its chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.registration import Registration, RegistrationQuality, register_rigid
from TumorTwinLib.imaging.transforms import distance_mm

_REFERENCES = ("T1CE", "T1", "FLAIR", "T2")
_ALREADY_MM = 1.0  # scans this close by their headers are left there: resampling would only blur them


@dataclass(frozen=True, eq=False)
class Alignment:
    """How one scan goes to the common frame.

    Args:
        matrix_ras: (4, 4) from the scan's RAS millimetres to the frame's, the whole chain.
        moved_mm: how far its own registration step moves the head at most; 0 where the header was right.
        quality: of that step; None for the reference of the frame.
    """

    matrix_ras: np.ndarray
    moved_mm: float = 0.0
    quality: RegistrationQuality | None = None


@dataclass(frozen=True, eq=False)
class Coregistration:
    """The scans of one visit in a common frame.

    Args:
        reference: modality of the visit's reference scan.
        alignments: by modality.
        notices: sentences for the user about steps that look wrong.
    """

    reference: str
    alignments: Mapping[str, Alignment]
    notices: tuple[str, ...] = ()


def reference_modality(images: Mapping[str, Image]) -> str:
    """The contrast-enhanced or plain T1 with the smallest voxels; without any, FLAIR, T2, or the first by name.

    Raises:
        TumorTwinError: there is no image.
    """
    if not images:
        raise TumorTwinError("The visit has no image: add at least one scan to it.")
    t1 = [key for key in ("T1CE", "T1") if key in images]
    if t1:
        return min(t1, key=lambda key: round(images[key].grid.voxel_volume_mm3, 3))
    return next((key for key in _REFERENCES if key in images), min(images))


def coregister_visit(images: Mapping[str, Image], *, reference: str | None = None) -> Coregistration:
    """Every scan of a visit matched to its reference, whose frame is the result's.

    Args:
        images: by modality.
        reference: modality to match the others to; by default ``reference_modality``.

    Raises:
        TumorTwinError: the reference is missing, or a scan cannot be registered.
    """
    reference = reference or reference_modality(images)
    if reference not in images:
        raise TumorTwinError(f"The visit has no {reference} to align the others with: it has {', '.join(images)}.")
    fixed = images[reference]
    alignments, notices = {reference: Alignment(np.eye(4))}, []
    for modality, image in images.items():
        if modality != reference:
            found = register_rigid(fixed, image)
            alignments[modality] = _alignment(fixed, found)
            notices += [found.warning] if found.warning else []
    return Coregistration(reference, alignments, tuple(notices))


def coregister_visits(visits: Sequence[Mapping[str, Image]]) -> list[Coregistration]:
    """Every scan of every visit in the frame of the first visit's reference.

    Args:
        visits: images by modality, in order of time.

    Raises:
        TumorTwinError: as ``coregister_visit``.
    """
    if not visits:
        return []
    within = [coregister_visit(images) for images in visits]
    fixed = visits[0][within[0].reference]
    together = [within[0]]
    for images, visit in zip(visits[1:], within[1:], strict=True):
        found = register_rigid(fixed, images[visit.reference])
        step = _alignment(fixed, found)
        chained = {
            modality: Alignment(step.matrix_ras @ own.matrix_ras, own.moved_mm, own.quality)
            for modality, own in visit.alignments.items()
        }
        chained[visit.reference] = step
        notices = (*((found.warning,) if found.warning else ()), *visit.notices)
        together.append(Coregistration(visit.reference, chained, notices))
    return together


def _alignment(fixed: Image, found: Registration) -> Alignment:
    corners = np.array([[i, j, k] for i in (0.15, 0.85) for j in (0.15, 0.85) for k in (0.15, 0.85)])
    points_mm = fixed.grid.ras_mm(corners * (np.array(fixed.grid.shape) - 1))  # about where the head is
    moved_mm = float(distance_mm(found.matrix_ras, np.eye(4), points_mm).max())
    if moved_mm < _ALREADY_MM:
        return Alignment(np.eye(4), 0.0, found.quality)
    return Alignment(found.matrix_ras, moved_mm, found.quality)
