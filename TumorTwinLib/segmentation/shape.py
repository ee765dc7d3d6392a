"""Sizes of a mask as radiology measures them: diameters, surface and sphericity, in millimetres.

Points on a mask's rim are the middles of the faces between a voxel inside and one outside, where a digitized outline
lies on average; voxel centres would make everything one voxel too small.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.geometry import Grid, bounding_box

_MEASURABLE_MM = 10.0  # both diameters of a lesion that RANO counts (Wen, JCO 2010)
_MOST_TARGETS = 5  # lesions whose products RANO sums, largest first


@dataclass(frozen=True)
class AxialDiameters:
    """Diameters on axial slices.

    Args:
        longest_mm, perpendicular_mm: of the largest lesion, on the slice where their product is largest (RANO).
        sum_of_products_mm2: over up to five lesions of at least 10 mm by 10 mm (RANO, Wen, JCO 2010).
        recist_mm: longest diameter of the largest lesion on any slice (RECIST 1.1, Eisenhauer, EJC 2009).
        lesions: pieces that touch nowhere.
    """

    longest_mm: float = 0.0
    perpendicular_mm: float = 0.0
    sum_of_products_mm2: float = 0.0
    recist_mm: float = 0.0
    lesions: int = 0

    @property
    def product_mm2(self) -> float:
        return self.longest_mm * self.perpendicular_mm


def axial_diameters(mask: np.ndarray, grid: Grid) -> AxialDiameters:
    """RANO's and RECIST's diameters of a Boolean mask, on the slices of ``grid`` that come closest to axial.

    The slices are those of the image, so that numbers are those a radiologist reads on it, tilted or not.
    """
    from scipy import ndimage

    axial = int(np.abs(grid.ijk_to_ras[2, :3] / np.array(grid.spacing_mm)).argmax())
    in_plane = [step for axis, step in enumerate(grid.spacing_mm) if axis != axial]
    pieces, count = ndimage.label(mask, np.ones((3, 3, 3)))
    if count == 0:
        return AxialDiameters()
    sizes = np.bincount(pieces.ravel())[1:]
    places = ndimage.find_objects(pieces)
    largest_first = np.argsort(-sizes, kind="stable")
    measured = []
    for number in largest_first[:_MOST_TARGETS]:
        piece = np.moveaxis(pieces[places[number]] == number + 1, axial, 0)
        measured.append([slice_diameters(plane, in_plane) for plane in piece if plane.any()])
    best = [max(slices, key=lambda pair: pair[0] * pair[1]) for slices in measured]
    return AxialDiameters(
        *best[0],
        sum_of_products_mm2=sum(long * short for long, short in best if min(long, short) >= _MEASURABLE_MM),
        recist_mm=max(long for long, _ in measured[0]),
        lesions=count,
    )


def slice_diameters(plane: np.ndarray, spacing_mm: list[float]) -> tuple[float, float]:
    """Longest diameter of a mask (ni, nj) and the longest one at right angles to it, on its convex hull, in mm."""
    from scipy.spatial import ConvexHull

    rim = _rim(plane) * np.array(spacing_mm)
    hull = rim[ConvexHull(rim).vertices]
    gaps = hull[:, None] - hull[None]
    lengths = np.linalg.norm(gaps, axis=-1)
    first, second = np.unravel_index(lengths.argmax(), lengths.shape)
    along = gaps[first, second] / lengths[first, second]
    s, t = hull @ along, hull @ np.array([-along[1], along[0]])
    # A chord at right angles is longest at a corner of the hull. Where it meets each edge of the polygon:
    s0, s1, t0, t1 = s, np.roll(s, -1), t, np.roll(t, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (s[:, None] - s0) / (s1 - s0)
    meets = np.where((share >= 0) & (share <= 1), t0 + share * (t1 - t0), np.nan)
    chords = np.nanmax(meets, axis=1) - np.nanmin(meets, axis=1)
    return float(lengths[first, second]), float(np.nanmax(chords))


def feret_mm(mask: np.ndarray, grid: Grid) -> float:
    """Largest distance of two points of the rim in space."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    if not mask.any():
        return 0.0
    lower, upper = bounding_box(mask)
    box = mask[tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))]
    rim = _rim(box) @ grid.ijk_to_ras[:3, :3].T
    return float(pdist(rim[ConvexHull(rim).vertices]).max())


def surface_mm2(mask: np.ndarray, grid: Grid) -> float:
    """Area of the rim, from how often lines in 13 directions cross it (Crofton's formula).

    Unlike the faces of voxels, which have half again the area of a ball however fine they are, this converges to the
    area; an oblique plane is right to a few percent (Legland, Image Anal Stereol 2007).
    """
    from scipy.spatial import SphericalVoronoi

    if not mask.any():
        return 0.0
    lower, upper = bounding_box(mask)
    box = np.pad(mask[tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))] > 0, 1)
    steps = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])
    vectors = steps @ grid.ijk_to_ras[:3, :3].T
    lengths = np.linalg.norm(vectors, axis=1)
    share = SphericalVoronoi(vectors / lengths[:, None]).calculate_areas() / (4 * np.pi)
    area = 0.0
    for step, length, weight in zip(steps, lengths, share, strict=True):
        if tuple(step) < (0, 0, 0):
            continue  # each line once
        ends = tuple(slice(max(0, s), box.shape[a] + min(0, s)) for a, s in enumerate(step))
        starts = tuple(slice(max(0, -s), box.shape[a] + min(0, -s)) for a, s in enumerate(step))
        crossings = np.count_nonzero(box[starts] != box[ends])
        area += 2 * (2 * weight) * crossings * grid.voxel_volume_mm3 / length
    return area


def sphericity(volume_mm3: float, area_mm2: float) -> float:
    """Area of the ball of that volume over the area: 1 for a ball, less for anything else; NaN without area."""
    return float(np.pi ** (1 / 3) * (6 * volume_mm3) ** (2 / 3) / area_mm2) if area_mm2 > 0 else float("nan")


def _rim(mask: np.ndarray) -> np.ndarray:
    """(n, dimensions) middles of the faces between inside and outside, in voxels of ``mask``."""
    padded = np.pad(mask, 1)
    points = []
    for axis in range(mask.ndim):
        faces = np.argwhere(np.diff(padded, axis=axis)) - 1.0
        faces[:, axis] += 0.5
        points.append(faces)
    return np.concatenate(points)
