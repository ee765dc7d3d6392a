"""Dose volumes from a prescription: margins around a segmentation in millimetres, and the dose they receive.

``gross tumor --margin, inside the organ--> clinical target (CTV) --margin--> planning target (PTV)`` (ICRU 83). The
dose falls off outside the target as a Gaussian, which stands for the penumbra of a conformal plan; use the plan's own
dose volume (``rtdose``) where there is one.
"""

from __future__ import annotations

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image

# Distance between 80 % and 20 % of the dose over the standard deviation of the Gaussian that falls off.
_PENUMBRA_OVER_SIGMA = float(np.sqrt(-2.0 * np.log(0.2)) - np.sqrt(-2.0 * np.log(0.8)))
_FALLOFF_SIGMAS = 4.0  # beyond this the dose is below 0.04 % of the prescription


def expand(mask: Image, margin_mm: float, *, within: Image | None = None) -> Image:
    """Everything within ``margin_mm`` of the mask, in patient space, on the mask's grid widened by the margin.

    Args:
        mask: positive inside the target; voxels may be anisotropic.
        margin_mm: distance between voxel centres, zero or more.
        within: a barrier such as the brain mask: what lies outside it is left out.

    Raises:
        TumorTwinError: an empty mask, a negative margin or a sheared grid.
    """
    if not (np.isfinite(margin_mm) and margin_mm >= 0):
        raise TumorTwinError(f"The margin around {mask.name} is {margin_mm} mm: give zero or more.")
    distance = _distance(mask, margin_mm)
    inside = distance.array <= margin_mm + 1e-6
    if within is not None:
        inside &= within.resample(distance.grid, order=0).array > 0
    return Image(inside, distance.grid, f"{mask.name} + {margin_mm:g} mm")


def prescribed_dose(target: Image, dose_gy: float, *, penumbra_mm: float = 8.0) -> Image:
    """(ni, nj, nk) dose of a plan that gives the target ``dose_gy`` and falls off outside it.

    Args:
        target: positive inside the planning target.
        dose_gy: of one fraction, or of the course.
        penumbra_mm: distance from 80 to 20 % of the dose.

    Raises:
        TumorTwinError: an empty target, or a dose or penumbra that is not positive.
    """
    if not (np.isfinite(dose_gy) and dose_gy > 0 and np.isfinite(penumbra_mm) and penumbra_mm > 0):
        raise TumorTwinError(
            f"The prescription on {target.name} is {dose_gy} Gy with a penumbra of {penumbra_mm} mm: "
            "give two positive numbers."
        )
    sigma_mm = penumbra_mm / _PENUMBRA_OVER_SIGMA
    distance = _distance(target, _FALLOFF_SIGMAS * sigma_mm)
    dose = dose_gy * np.exp(-0.5 * (distance.array / sigma_mm) ** 2)
    return Image(dose.astype(np.float32), distance.grid, f"{dose_gy:g} Gy on {target.name}", "Gy")


def with_boost(dose: Image, boost: Image) -> Image:
    """The larger of two dose volumes at every voxel, on the first one's grid: a simultaneous integrated boost."""
    higher = boost.resample(dose.grid).array
    return Image(np.maximum(dose.array, higher), dose.grid, f"{dose.name}, {boost.name}", "Gy")


def per_fraction(total: Image, fractions: int) -> Image:
    """The dose volume of one of ``fractions`` equal fractions.

    Raises:
        TumorTwinError: no fractions, or a volume whose unit is not Gy.
    """
    if fractions < 1:
        raise TumorTwinError(f"{total.name} is to be given in {fractions} fractions: give at least one.")
    if total.unit not in ("", "Gy"):
        raise TumorTwinError(f"{total.name} is in {total.unit}: give a dose volume in Gy.")
    return Image(total.array / fractions, total.grid, f"{total.name} / {fractions}", "Gy")


def _distance(mask: Image, reach_mm: float) -> Image:
    """Distance in mm to the nearest voxel centre of the mask, on its grid widened by ``reach_mm``."""
    inside = mask.array > 0
    if not inside.any():
        raise TumorTwinError(f"{mask.name} is empty: segment the target first.")
    directions = mask.grid.ijk_to_ras[:3, :3] / mask.grid.spacing_mm
    if not np.allclose(directions.T @ directions, np.eye(3), atol=1e-3):
        raise TumorTwinError(f"The grid of {mask.name} is sheared: resample it to orthogonal axes.")
    from scipy import ndimage

    pad = [int(np.ceil(reach_mm / spacing)) for spacing in mask.grid.spacing_mm]
    grid = mask.grid.crop(tuple(-n for n in pad), tuple(n + p for n, p in zip(mask.grid.shape, pad, strict=True)))
    padded = np.pad(inside, [(n, n) for n in pad])
    return Image(ndimage.distance_transform_edt(~padded, sampling=mask.grid.spacing_mm), grid, mask.name)
