"""A visit's images through a network: labels, probabilities, and how far off outlines and volumes may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Image
from TumorTwinLib.segmentation import confidence
from TumorTwinLib.segmentation.decoding import (
    decode_on_box,
    nothing,
    on_whole_grid,
    regions_of,
    tumor_regions,
    without_small_islands,
)
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.preprocessing import prepare
from TumorTwinLib.segmentation.result import Segmentation
from TumorTwinLib.segmentation.windows import all_flips, choose_device, ladder, slide, window_over

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "float32", "bfloat16")
_USUAL_DIVISOR = 32  # five halvings, as of SwinUNETR
_SHARE_OF_WINDOWS = 0.9  # of the progress; decoding and confidence are the rest


@dataclass(frozen=True, kw_only=True)
class InferenceSettings:
    """How to run a network; the defaults suit every model.

    Args:
        overlap: of neighboring windows, as a share of their side.
        window: in network voxels; the description's by default.
        stretch: a box side up to this many windows long is taken whole, instead of in two that overlap almost wholly.
        windows_at_once: 4 on CUDA and 1 on the CPU by default.
        flip_axes: network axes along which inputs are also flipped and outputs averaged; ``(0,)`` is left-right and
            doubles the time, ``(0, 1, 2)`` is eight times.
        precision: ``"auto"`` is bfloat16 where the processor computes with it, else float32.
        correlation_mm: length over which the outline errs in one direction, for the volume's standard deviation.

    Raises:
        TumorTwinError: a value has no meaning.
    """

    overlap: float = 0.5
    window: tuple[int, int, int] | None = None
    stretch: float = 1.5
    windows_at_once: int | None = None
    flip_axes: tuple[int, ...] = ()
    precision: str = "auto"
    correlation_mm: float = confidence.CORRELATION_MM

    def __post_init__(self) -> None:
        wrong = (
            "overlap must be from 0 to below 1"
            if not 0 <= self.overlap < 1
            else "stretch must be 1 or more"
            if self.stretch < 1
            else f"precision must be one of {', '.join(PRECISIONS)}"
            if self.precision not in PRECISIONS
            else "flip_axes must be among 0, 1 and 2, each once"
            if not set(self.flip_axes) <= {0, 1, 2} or len(set(self.flip_axes)) < len(self.flip_axes)
            else "windows_at_once must be 1 or more"
            if self.windows_at_once is not None and self.windows_at_once < 1
            else ""
        )
        if wrong:
            raise TumorTwinError(f"The segmentation cannot run with these settings: {wrong}.")


def segment(
    images: Mapping[str, Image],
    description: ModelDescription,
    *,
    network: torch.nn.Module | None = None,
    brain_mask: Image | None = None,
    device: str = "auto",
    settings: InferenceSettings | None = None,
    on_progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Segmentation:
    """The regions the model finds in a visit's images.

    Args:
        images: by modality; those the description names are used.
        network: with its weights; read from the installed model by default.
        brain_mask: for images that still have their skull.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        on_progress: called with the share done, 0 to 1, after each window.
        cancelled: asked before each window.

    Returns:
        Segmentation on the grid of the description's first modality.

    Raises:
        CancelledError: ``cancelled`` returned True.
        TumorTwinError: a modality or the weights are missing, or memory does not suffice even for small windows.
    """
    settings = settings or InferenceSettings()
    report = on_progress or (lambda share: None)
    place = choose_device(device)
    if network is None:
        from TumorTwinLib.segmentation.loading import load_network

        network = load_network(description)
    divisor = divisor_of(description)
    prepared = prepare(images, description, brain_mask=brain_mask, divisor=divisor)
    window = window_over(prepared.grid.shape, settings.window or description.window, settings.stretch, divisor)
    logits, notices = slide(
        network,
        prepared.channels,
        prepared.foreground,
        ladder(place, window, at_once=settings.windows_at_once, precision=settings.precision, divisor=divisor),
        empty=nothing(description),
        divisor=divisor,
        overlap=settings.overlap,
        flips=all_flips(settings.flip_axes),
        on_progress=lambda done, total: report(_SHARE_OF_WINDOWS * done / total),
        cancelled=cancelled,
    )
    labels, probabilities = decode_on_box(logits, prepared, description)
    regions = regions_of(description)
    labels, islands = without_small_islands(labels, regions, prepared.box_grid, description.smallest_enhancing_ml)
    if islands:
        notices.append(
            f"{islands} enhancing island{'s' if islands > 1 else ''} below {description.smallest_enhancing_ml:g} mL "
            f"{'were' if islands > 1 else 'was'} called necrotic core."
        )
    if not labels.any():
        notices.append(f"{description.title} found nothing in {images[description.modalities[0]].name}.")
    spacing = prepared.box_grid.spacing_mm
    tumor = tumor_regions(probabilities)
    boundary = {region: confidence.boundary_sd_mm(probabilities[region], spacing) for region in tumor}
    volume = {
        region: confidence.volume_sd_ml(probabilities[region], spacing, correlation_mm=settings.correlation_mm)
        for region in tumor
    }

    def image(array: np.ndarray, name: str, unit: str = "", fill: float = 0) -> Image:
        return Image(on_whole_grid(array, prepared, fill), prepared.image_grid, f"{description.name} {name}", unit)

    result = Segmentation(
        labels=image(labels, "segmentation"),
        regions=regions,
        probabilities={region: image(array, f"{region} probability") for region, array in probabilities.items()},
        boundary_sd_mm={
            region: image(array, f"{region} boundary", "mm", float(np.median(array)))
            for region, array in boundary.items()
        },
        volume_sd_ml=volume,
        notices=(*prepared.notices, *notices),
    )
    report(1.0)
    return result


def divisor_of(description: ModelDescription) -> int:
    """What the sides of the network's input must be multiples of: how often it halves them."""
    arguments = description.network.arguments
    strides = arguments.get("strides")
    if "blocks_down" in arguments:
        return 2 ** (len(arguments["blocks_down"]) - 1)
    if strides is not None:
        return int(np.prod([np.max(stride) for stride in strides]))
    return _USUAL_DIVISOR
