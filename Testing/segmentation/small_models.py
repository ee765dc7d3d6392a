"""Descriptions of small models, networks whose answer is known, and a head to show them."""

from __future__ import annotations

import numpy as np

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.segmentation.description import (
    MONAI,
    SIGMOID_TC_WT_ET,
    SOFTMAX,
    ModelDescription,
    NetworkSpec,
    OutputChannel,
    WeightsSource,
)

MODALITIES = ("T1", "T1CE", "T2", "FLAIR")
NESTED = (OutputChannel("tumor_core", 1), OutputChannel("whole_tumor", 2), OutputChannel("enhancing", 4))
PARTS = tuple(
    OutputChannel(name, label)
    for name, label in (("background", 0), ("necrotic_core", 1), ("edema", 2), ("enhancing", 4))
)


def model(
    modalities=MODALITIES,
    *,
    spacing_mm=None,
    orientation="RAS",
    normalization="zscore_brain",
    decoding=SIGMOID_TC_WT_ET,
    window=(32, 32, 32),
    arguments=None,
    needs_brain_mask=True,
    **more,
) -> ModelDescription:
    outputs = NESTED if decoding == SIGMOID_TC_WT_ET else PARTS
    return ModelDescription(
        name="small",
        title="Small model",
        summary="",
        organ="brain",
        modalities=modalities,
        network=NetworkSpec(MONAI, "SegResNet", {"blocks_down": [1, 1]} if arguments is None else arguments),
        spacing_mm=spacing_mm,
        orientation=orientation,
        normalization=normalization,
        decoding=decoding,
        outputs=outputs,
        window=window,
        smallest_enhancing_ml=0.0,
        needs_brain_mask=needs_brain_mask,
        weights=WeightsSource(file="model.pt", licence="none"),
        **more,
    )


SOFT = {"decoding": SOFTMAX}


def head(grid: Grid, *, center_mm=(0.0, 0.0, 0.0), radius_mm=20.0) -> dict[str, Image]:
    """Four images of a ball of brain, zero outside; inside, values that rise to the right, front and top."""
    ijk = np.stack(np.indices(grid.shape), -1)
    ras = grid.ras_mm(ijk) - np.array(center_mm)
    brain = np.linalg.norm(ras, axis=-1) < radius_mm
    ramps = (ras[..., 0], ras[..., 1], ras[..., 2], ras.sum(-1))
    return {
        name: Image(np.where(brain, 100 + ramp, 0).astype(np.float32), grid, f"{name}.nii")
        for name, ramp in zip(MODALITIES, ramps, strict=True)
    }
