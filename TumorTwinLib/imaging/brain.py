"""The brain without the skull: in a scan of any contrast, stripped already or not.

A scan whose background is exactly constant and that shows no skull has been stripped: its mask is what is left.
Otherwise ``deepbet`` is asked where it is installed and the scan is T1-weighted, and our own method everywhere else:
the atlas brain, registered, is a prior by distance from its surface; intensities inside and outside, learned from the
scan, and smoothness move the surface to where this patient's is.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.atlas import atlas_map, fit_atlas, load_atlas
from TumorTwinLib.imaging.registration import Registration

_PLAUSIBLE_ML = (800.0, 2000.0)
_WORKING_MM = 2.0
_SURFACE_MM = 2.0  # how far the registered atlas surface is trusted
_REACH_MM = 14.0  # beyond this distance from it the atlas is right
_BINS = 64


@dataclass(frozen=True, eq=False)
class Brain:
    """Where the brain is, ventricles and the CSF around it included.

    Args:
        mask: Boolean, on the scan's grid.
        method: how it was found.
        notices: sentences for the user where it may be wrong.
    """

    mask: Image
    method: Literal["stripped", "deepbet", "atlas"]
    notices: tuple[str, ...] = ()


def extract_brain(image: Image, *, modality: str = "", fit: Registration | None = None) -> Brain:
    """The brain in a scan of a head.

    Args:
        image: (ni, nj, nk), any contrast; T1 works best.
        modality: "T1" lets an installed ``deepbet`` take over; it knows no other contrast.
        fit: of the atlas to this scan, if known already (``fit_atlas``).

    Raises:
        TumorTwinError: the scan is the same everywhere, or no brain was found in it.
    """
    if (stripped := stripped_mask(image)) is not None:
        return Brain(Image(stripped, image.grid, f"{image.name} brain"), "stripped", _doubts(image, stripped))
    mask, notices = _by_deepbet(image) if modality == "T1" else (None, ())
    by_network = mask is not None
    if mask is None:
        fit = fit or fit_atlas(image)
        mask = _by_atlas(image, fit)
        notices = (*notices, fit.warning) if fit.warning else notices
    if not mask.any():
        raise TumorTwinError(f"No brain was found in {image.name}: give a brain mask, or check that it shows a head.")
    return Brain(
        Image(mask, image.grid, f"{image.name} brain"),
        "deepbet" if by_network else "atlas",
        (*notices, *_doubts(image, mask)),
    )


def _doubts(image: Image, mask: np.ndarray) -> tuple[str, ...]:
    volume_ml = np.count_nonzero(mask) * image.grid.voxel_volume_mm3 / 1000.0
    low, high = _PLAUSIBLE_ML
    if low <= volume_ml <= high:
        return ()
    return (
        f"The brain found in {image.name} has {volume_ml:.0f} mL, an adult's has {low:.0f} to {high:.0f} mL: "
        "check its outline, or whether the scan shows the whole head.",
    )


def stripped_mask(image: Image) -> np.ndarray | None:
    """(ni, nj, nk) mask left by an earlier brain extraction; None where skull or a noisy background shows."""
    from scipy import ndimage

    array = image.array
    faces = np.concatenate([array[[0, -1]].ravel(), array[:, [0, -1]].ravel(), array[:, :, [0, -1]].ravel()])
    values, counts = np.unique(faces, return_counts=True)
    inside = array != values[np.argmax(counts)]
    if not 0.01 < inside.mean() < 0.75:
        return None
    labels, count = ndimage.label(inside)
    if count > 1:
        inside = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    for axis in range(3):  # a mask may be open where the field of view ends: fill it slice by slice too
        for index in range(array.shape[axis]):
            plane = (slice(None),) * axis + (index,)
            inside[plane] = ndimage.binary_fill_holes(inside[plane])
    return None if _has_skull(Image(np.where(inside, array, 0).astype(np.float32), image.grid), inside) else inside


def _has_skull(image: Image, inside: np.ndarray) -> bool:
    """Whether a dark shell, the bone, lies between a brighter one outside it and the brain."""
    from scipy import ndimage

    depth_mm = ndimage.distance_transform_edt(np.pad(inside, 1), sampling=image.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    step_mm = max(2.0, min(image.grid.spacing_mm))
    shell = (depth_mm / step_mm).astype(int)
    count = int(30.0 / step_mm)
    shells = (image.array[inside & (shell == s)] for s in range(count))
    medians = np.array([np.median(values) for values in shells if values.size])
    medians = medians - min(0.0, float(image.array.min()))
    before, after = np.maximum.accumulate(medians), np.maximum.accumulate(medians[::-1])[::-1]
    return bool(np.any(medians < 0.5 * np.minimum(before, after)))


def _by_deepbet(image: Image) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """The network's mask (Fisch, Comput Biol Med 2024), which takes RAS axes and about 1 mm.

    None where it is not installed, and with a notice where it is but does not work.
    """
    if importlib.util.find_spec("deepbet") is None:
        return None, ()
    grid = _ras_grid(image.grid, spacing_mm=1.0)
    try:
        from deepbet.bet import BrainExtraction

        network = BrainExtraction()
        found = network.postprocess(network.run_model(image.resample(grid).array) > 0.5)
    except Exception as error:  # another library's installation may fail in any way: weights, versions, memory
        why = f"deepbet failed ({type(error).__name__}: {error})"
        return None, (f"{why}: the brain of {image.name} was found with the atlas instead.",)
    return Image(found.astype(np.float32), grid).resample(image.grid).array > 0.5, ()


def _ras_grid(grid: Grid, spacing_mm: float) -> Grid:
    """An isotropic grid along right, anterior, superior that covers another."""
    ends = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (np.array(grid.shape) - 1)
    corners_mm = grid.ras_mm(ends)
    lower, upper = corners_mm.min(axis=0), corners_mm.max(axis=0)
    shape = tuple(int(n) for n in np.ceil((upper - lower) / spacing_mm) + 1)
    return Grid.from_spacing(shape, (spacing_mm,) * 3, tuple(lower))


def _by_atlas(image: Image, fit: Registration) -> np.ndarray:
    """Mean-field estimate of inside and outside on a 2 mm grid, then the one solid piece of it."""
    from scipy import ndimage

    working = image.resample(image.grid.with_spacing(_WORKING_MM))
    prior = atlas_map(load_atlas().brain, fit.matrix_ras, working.grid) > 0.5
    if not prior.any():
        return np.zeros(image.grid.shape, bool)
    distance = ndimage.distance_transform_edt
    height_mm = _WORKING_MM * (distance(np.pad(prior, 1))[1:-1, 1:-1, 1:-1] - distance(~prior))
    zone = np.abs(height_mm) < _REACH_MM

    low, high = np.percentile(working.array, (0.5, 99.5))
    bins = np.clip((working.array - low) / max(high - low, 1e-6) * _BINS, 0, _BINS - 1).astype(int)
    inside = _logistic(height_mm / _SURFACE_MM)
    for _ in range(12):
        ratio = np.log(_density(bins, inside, zone)) - np.log(_density(bins, 1.0 - inside, zone))
        neighbours = ndimage.gaussian_filter(inside, 1.0)
        inside = _logistic(height_mm / _SURFACE_MM + ratio[bins] + 4.0 * (2.0 * neighbours - 1.0))
        inside = np.where(zone, inside, prior)
    solid = _one_piece(inside > 0.5)
    return Image(solid.astype(np.float32), working.grid).resample(image.grid).array > 0.5


def _density(bins: np.ndarray, weight: np.ndarray, zone: np.ndarray) -> np.ndarray:
    """(bins,) smoothed share of the weight that falls in each intensity bin; nowhere zero."""
    from scipy import ndimage

    counts = ndimage.gaussian_filter1d(np.bincount(bins[zone], weights=weight[zone], minlength=_BINS), 1.5)
    return (counts + 1e-3 * counts.sum() / _BINS + 1e-9) / (counts.sum() + 1e-9)


def _logistic(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0)))


def _one_piece(mask: np.ndarray) -> np.ndarray:
    """The largest piece once bridges thinner than 8 mm are cut, with its own surface back and its holes filled."""
    from scipy import ndimage

    labels, count = ndimage.label(ndimage.binary_opening(mask, iterations=2))
    if count == 0:
        return mask
    core = labels == 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    whole = ndimage.binary_dilation(core, iterations=2, mask=mask)
    return ndimage.binary_fill_holes(ndimage.binary_closing(np.pad(whole, 3), iterations=2)[3:-3, 3:-3, 3:-3] | whole)
