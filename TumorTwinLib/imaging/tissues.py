"""White matter, grey matter and CSF from a T1-weighted scan, and the ventricles as barriers to growth.

A mixture of three Gaussians in intensity, fitted by expectation maximization. The prior of each voxel's tissue is the
registered atlas, blurred by how far it may be off; neighbours are encouraged to agree (mean field). A tumour is left
out of the fit, and inside it the atlas alone decides, which knows nothing of the tumour's own contrast.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image, bounding_box
from TumorTwinLib.imaging.atlas import atlas_map, fit_atlas, load_atlas
from TumorTwinLib.imaging.bias import correct_bias
from TumorTwinLib.imaging.registration import Registration

TISSUES = ("WM", "GM", "CSF")
_PRIOR_BLUR_MM = 2.5  # what an affine fit leaves between two people's folds
_PRIOR_FLOOR = 0.05
_AGREEMENT = 1.5  # weight of the neighbours, in nats when all agree
_ITERATIONS = 25
_OUTLIER = 4.0  # standard deviations beyond which intensity says nothing more about the tissue: vessels, contrast


def tissue_maps(
    t1: Image, brain_mask: Image, *, lesion: Image | None = None, fit: Registration | None = None
) -> dict[str, Image]:
    """Probabilities of white matter, grey matter and CSF.

    Args:
        t1: (ni, nj, nk) T1-weighted scan, with or without contrast agent.
        brain_mask: Boolean or 0 and 1, on the same grid.
        lesion: tumour and oedema on the same grid, kept out of the fit.
        fit: of the atlas to this scan, if known already (``fit_atlas``).

    Returns:
        Images "WM", "GM" and "CSF" on the scan's grid, float32, adding up to 1 in the brain and 0 outside.

    Raises:
        TumorTwinError: the brain mask is empty or on another grid, or hardly any of it is outside the lesion.
    """
    for other in (brain_mask, *((lesion,) if lesion is not None else ())):
        if not other.grid.same_as(t1.grid):
            raise TumorTwinError(f"{other.name} is not on the grid of {t1.name}: resample it to that grid first.")
    brain = brain_mask.array > 0.5
    healthy = brain if lesion is None else brain & ~(lesion.array > 0.5)
    if np.count_nonzero(healthy) < 1000:
        raise TumorTwinError(f"{brain_mask.name} leaves hardly any healthy brain in {t1.name}: check the two masks.")
    fit = fit or fit_atlas(t1)
    lower, upper = bounding_box(brain, margin=(2, 2, 2))
    box = tuple(slice(low, up) for low, up in zip(lower, upper, strict=True))
    grid = t1.grid.crop(lower, upper)
    cropped = Image(np.where(brain, t1.array, 0)[box].astype(np.float32), grid, t1.name)
    flat = correct_bias(cropped, Image(healthy[box], grid)).array
    prior = _prior(fit, grid)
    posterior = _mixture(flat, prior, brain[box], healthy[box], np.array(grid.spacing_mm))
    maps = {}
    for tissue, probability in zip(TISSUES, posterior, strict=True):
        whole = np.zeros(t1.grid.shape, np.float32)
        whole[box] = probability
        maps[tissue] = Image(whole, t1.grid, f"{t1.name} {tissue}")
    return maps


def ventricles(maps: Mapping[str, Image], fit: Registration) -> Image:
    """Boolean mask of the ventricles: the CSF connected to where the atlas has them, within 15 mm of that.

    Tumour cells do not grow into them: the solver's domain is the brain mask without this one.
    """
    from scipy import ndimage

    csf = maps["CSF"]
    fluid = csf.array > 0.5
    there = atlas_map(load_atlas().ventricles, fit.matrix_ras, csf.grid) > 0.3
    near = ndimage.distance_transform_edt(~there, sampling=csf.grid.spacing_mm) < 15.0 if there.any() else there
    # sulci end in threads of CSF that partial volume links to the ventricles: an opening cuts them
    cut = ndimage.binary_opening(fluid & near) | (fluid & there)
    labels, count = ndimage.label(cut)
    touching = np.bincount(labels[there], minlength=count + 1)[1:] > 0
    return Image(np.isin(labels, 1 + np.flatnonzero(touching)), csf.grid, "ventricles")


def _prior(fit: Registration, grid) -> np.ndarray:
    """(3, ni, nj, nk) atlas probabilities of the tissues, nowhere zero."""
    from scipy import ndimage

    atlas = load_atlas()
    blur = [_PRIOR_BLUR_MM / spacing for spacing in grid.spacing_mm]
    fields = (atlas.white_matter, atlas.grey_matter, atlas.csf)
    prior = np.stack([ndimage.gaussian_filter(atlas_map(field, fit.matrix_ras, grid), blur) for field in fields])
    prior += _PRIOR_FLOOR
    return prior / prior.sum(axis=0)


def _mixture(
    intensity: np.ndarray, prior: np.ndarray, brain: np.ndarray, healthy: np.ndarray, spacing_mm: np.ndarray
) -> np.ndarray:
    """(3, ni, nj, nk) posterior probability of each tissue, zero outside the brain."""
    from scipy import ndimage

    values = intensity[healthy]
    low, high = np.percentile(values, (1.0, 99.0))
    values = np.clip(values, low - (high - low), high + (high - low))
    weight = prior[:, healthy]
    posterior = np.where(brain, prior, 0.0).astype(np.float32)
    log_prior = np.log(prior[:, healthy])
    for _ in range(_ITERATIONS):
        total = weight.sum(axis=1)
        mean = (weight * values).sum(axis=1) / total
        variance = (weight * (values - mean[:, None]) ** 2).sum(axis=1) / total
        variance = np.maximum(variance, (0.01 * (high - low)) ** 2)
        squared = np.minimum((values - mean[:, None]) ** 2 / variance[:, None], _OUTLIER**2)
        score = log_prior - 0.5 * squared - 0.5 * np.log(variance)[:, None]
        for index, field in enumerate(posterior):
            agreement = ndimage.gaussian_filter(field, 0.7 / (spacing_mm / spacing_mm.min()))
            score[index] += _AGREEMENT * agreement[healthy]
        score -= score.max(axis=0)
        weight = np.exp(score)
        weight /= weight.sum(axis=0)
        posterior[:, healthy] = weight
    return posterior
