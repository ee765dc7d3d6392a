"""The tumour at the first scan, with the part no scan shows: level sets, ADC cellularity and the infiltrating tail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from TumorTwinLib.models import wave

_SHORTEST = 0.1  # of the white-matter length: even where nothing diffuses a rim is not a knife's edge


@dataclass(frozen=True, eq=False)
class Contours:
    """Distances to the segmented boundaries: what no parameter of a model changes.

    Args:
        to_core_mm: (ni, nj, nk) signed distance to the surface of enhancing tumour and necrosis, or None without them.
        to_whole_mm: (ni, nj, nk) signed distance to the surface of everything abnormal.
        radius_mm: of the ball as large as the whole tumour.
    """

    to_core_mm: np.ndarray | None
    to_whole_mm: np.ndarray
    radius_mm: float

    @classmethod
    def of_masks(cls, core: np.ndarray | None, whole: np.ndarray, spacing_mm: tuple[float, float, float]) -> Contours:
        """From (ni, nj, nk) Boolean masks; ``whole`` holds at least one voxel."""
        volume_mm3 = float(whole.sum() * np.prod(spacing_mm))
        return cls(
            signed_distance_mm(core, spacing_mm) if core is not None and core.any() else None,
            signed_distance_mm(whole, spacing_mm),
            (3.0 * volume_mm3 / (4.0 * np.pi)) ** (1.0 / 3.0),
        )

    def at(self, voxels: np.ndarray) -> Contours:
        """The distances of some voxels alone, by flat index; the functions below work on those as on a grid."""
        to_core = None if self.to_core_mm is None else self.to_core_mm.ravel()[voxels]
        return replace(self, to_core_mm=to_core, to_whole_mm=self.to_whole_mm.ravel()[voxels])


def level_set_state(
    contours: Contours,
    core_level: float,
    whole_level: float,
    length_mm: float,
    relative_length: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Cellularity whose level sets are the segmented boundaries, with a critical-wave tail outside.

    ``core_level`` holds on the core's boundary and ``whole_level`` on the whole tumour's; between them the wave's
    argument is interpolated by distance, inside the core it continues inward and outside it decays over ``length_mm``,
    the infiltration length sqrt(D / rho), the further the faster, as the tumour has had finite time to spread.

    Args:
        length_mm: L in white matter.
        relative_length: (ni, nj, nk) local L over that, the root of the relative diffusivity: in grey matter the front
            is steeper and the tail shorter.

    Returns:
        (ni, nj, nk) cellularity and its derivative by L in 1/mm.
    """
    local_mm = length_mm * np.maximum(relative_length, _SHORTEST)
    to_core, to_whole = contours.to_core_mm, contours.to_whole_mm
    s_whole = wave.position(whole_level)
    outside = to_whole > 0
    s = s_whole + to_whole / local_mm
    ds = -to_whole / (local_mm * length_mm)
    if to_core is not None:
        s_core = wave.position(core_level)
        gap = np.maximum(to_core - to_whole, 1e-6)  # local width of the rim between the two boundaries
        between = s_core + (s_whole - s_core) * to_core / gap
        s = np.where(outside, s, np.where(to_core > 0, between, s_core + to_core / local_mm))
        ds = np.where(outside, ds, np.where(to_core > 0, 0.0, -to_core / (local_mm * length_mm)))
    w, slope = wave.profile(s)
    # A front of finite age lacks the far tail: exp(-x^2 / (4 rho T)) ahead of it, x in units of L (Ebert and van
    # Saarloos 2000). Having grown to radius R at speed 2 sqrt(D rho), its age is rho T = R / (2 L).
    ahead = np.where(outside, to_whole, 0.0)
    exponent = ahead**2 * length_mm / (2.0 * contours.radius_mm * local_mm**2)
    young = np.exp(-exponent)
    return w * young, young * (slope * ds + w * exponent / length_mm)


def adc_state(
    cellularity: np.ndarray,
    contours: Contours,
    whole_level: float,
    length_mm: float,
    relative_length: np.ndarray | float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Measured cellularity inside the tumour and a critical-wave tail that starts from its rim outside.

    Args:
        cellularity: (ni, nj, nk) from ADC.

    Returns:
        (ni, nj, nk) cellularity and its derivative by L in 1/mm.
    """
    rim = replace(contours, to_core_mm=None)
    tail, slope = level_set_state(rim, whole_level, whole_level, length_mm, relative_length)
    inside = contours.to_whole_mm < 0
    return np.where(inside, cellularity, tail), np.where(inside, 0.0, slope)


def signed_distance_mm(mask: np.ndarray, spacing_mm: tuple[float, float, float]) -> np.ndarray:
    """Distance to the mask's surface in mm: positive outside, negative inside, zero half-way between voxels."""
    from scipy import ndimage

    half = 0.5 * min(spacing_mm)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing_mm)
    inside = ndimage.distance_transform_edt(mask, sampling=spacing_mm)
    return np.where(mask, -(inside - half), outside - half)
