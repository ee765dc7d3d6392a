"""From a network's outputs to regions inside each other and one label map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.labels import CORE_REGIONS, UNIONS, WHOLE_REGIONS
from TumorTwinLib.segmentation.description import SIGMOID_TC_WT_ET, ModelDescription
from TumorTwinLib.segmentation.preprocessing import NetworkInput

_CERTAIN_LOGIT = 10.0  # outside what the network saw: probability 5e-5
_MOST_PROBABILITIES = 8  # maps kept; tumor models have three or four outputs
# A nested output's name in the library, and the part of it that it alone paints.
_NESTED = {
    "tumor_core": ("core", "necrotic_core"),
    "whole_tumor": ("whole_tumor", "edema"),
    "enhancing": ("enhancing", "enhancing"),
}
_WHOLE_TO_ENHANCING = ("whole_tumor", "tumor_core", "enhancing")


def regions_of(description: ModelDescription) -> dict[int, str]:
    """Region by label of the label map that the model gives; background is left out."""
    if description.decoding == SIGMOID_TC_WT_ET:
        return {output.label: _NESTED[output.name][1] for output in description.outputs}
    return {output.label: output.name for output in description.outputs if output.name != "background"}


def nothing(description: ModelDescription) -> np.ndarray:
    """(outputs,) logits that say background."""
    return np.array(
        [_CERTAIN_LOGIT if output.name == "background" else -_CERTAIN_LOGIT for output in description.outputs],
        np.float32,
    )


def decode_on_box(
    logits: np.ndarray, prepared: NetworkInput, description: ModelDescription
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels and probabilities at the voxels of the images' box, from outputs on the network's grid.

    Outputs are interpolated as logits, which keeps outlines where they are; interpolated probabilities or labels make
    staircases. A network of many organs gives labels alone: its probabilities would fill any memory.

    Args:
        logits: (outputs, ni, nj, nk) on ``prepared.grid``.

    Returns:
        As ``decode``, on ``prepared.box_grid``; outside the foreground it is background.
    """
    finer = (
        _on_box(channel, float(empty), prepared) for channel, empty in zip(logits, nothing(description), strict=True)
    )
    if description.decoding == SIGMOID_TC_WT_ET or len(logits) <= _MOST_PROBABILITIES:
        return decode(np.stack(list(finer)), description)
    highest = np.full(prepared.box_grid.shape, -np.inf, np.float32)
    labels = np.zeros(prepared.box_grid.shape, _label_type(description))
    for channel, output in zip(finer, description.outputs, strict=True):
        labels[channel > highest] = output.label
        np.maximum(highest, channel, out=highest)
    return labels, {}


def _on_box(channel: np.ndarray, empty: float, prepared: NetworkInput) -> np.ndarray:
    on_box = Image(channel, prepared.grid).resample(prepared.box_grid, fill=empty).array
    return np.where(prepared.box_foreground, on_box, np.float32(empty))


def _label_type(description: ModelDescription) -> type[np.unsignedinteger]:
    return np.uint8 if max(output.label for output in description.outputs) < 256 else np.uint16


def decode(logits: np.ndarray, description: ModelDescription) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Labels and the probability of each region, also of core and whole tumor.

    A voxel is as likely tumor core as it is enhancing, at least, and as likely whole tumor as core: enhancing lies in
    core and core in whole, in the probabilities as in the labels.

    Args:
        logits: (outputs, ni, nj, nk).

    Returns:
        (ni, nj, nk) whole numbers, and (ni, nj, nk) float32 by region.
    """
    if description.decoding == SIGMOID_TC_WT_ET:
        return _decode_nested(logits, description)
    values = np.array([output.label for output in description.outputs], _label_type(description))
    labels: np.ndarray = values[logits.argmax(axis=0)]
    shares = np.exp(logits - logits.max(axis=0))
    shares /= shares.sum(axis=0)
    by_name = {output.name: share for output, share in zip(description.outputs, shares, strict=True)}
    by_name.pop("background", None)
    for union, parts in UNIONS.items():
        members = [by_name[part] for part in parts if part in by_name]
        if len(members) > 1:
            by_name[union] = np.minimum(np.sum(members, axis=0), np.float32(1))
    return labels, by_name


def _decode_nested(logits: np.ndarray, description: ModelDescription) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    from scipy.special import expit

    output_of = {output.name: (output, channel) for output, channel in zip(description.outputs, logits, strict=True)}
    probabilities: dict[str, np.ndarray] = {}
    inner = np.float32(0)
    for name in reversed(_WHOLE_TO_ENHANCING):
        inner = np.maximum(inner, expit(output_of[name][1]))
        probabilities[_NESTED[name][0]] = inner.astype(np.float32)
    labels: np.ndarray = np.zeros(logits.shape[1:], _label_type(description))
    for name in _WHOLE_TO_ENHANCING:
        labels[probabilities[_NESTED[name][0]] >= 0.5] = output_of[name][0].label
    return labels, probabilities


def without_small_islands(
    labels: np.ndarray, regions: Mapping[int, str], grid: Grid, smallest_enhancing_ml: float
) -> tuple[np.ndarray, int]:
    """Labels with each enhancing island below ``smallest_enhancing_ml`` turned into necrotic core.

    Vessels and noise light up as specks. BraTS entries have dropped them since Isensee (arXiv 2011.00848), who turns
    all enhancing tumor into necrosis where it is little in sum; here each island is judged by itself.

    Returns:
        The labels, and how many islands were turned.
    """
    label_of = {region: label for label, region in regions.items()}
    if smallest_enhancing_ml <= 0 or not set(CORE_REGIONS) <= set(label_of):
        return labels, 0
    from scipy import ndimage

    islands, count = ndimage.label(labels == label_of["enhancing"], np.ones((3, 3, 3)))
    voxels = np.bincount(islands.ravel(), minlength=count + 1)
    small = voxels * grid.voxel_volume_mm3 / 1000 < smallest_enhancing_ml
    small[0] = False
    if not small.any():
        return labels, 0
    return np.where(small[islands], labels.dtype.type(label_of["necrotic_core"]), labels), int(small.sum())


def on_whole_grid(array: np.ndarray, prepared: NetworkInput, fill: float = 0) -> np.ndarray:
    """An array of the box at its place in an array of the images' shape."""
    whole = np.full(prepared.image_grid.shape, fill, array.dtype)
    upper = [low + n for low, n in zip(prepared.box_lower, array.shape, strict=True)]
    whole[tuple(slice(low, up) for low, up in zip(prepared.box_lower, upper, strict=True))] = array
    return whole


def tumor_regions(probabilities: Mapping[str, np.ndarray]) -> Sequence[str]:
    """The regions among ``probabilities`` that are tumor or unions of it."""
    return [region for region in probabilities if region in WHOLE_REGIONS or region in UNIONS]
