"""What a segmentation model is: the network, the images it wants and how, what its outputs mean, and its weights.

A description is data alone. It comes from a JSON file (``description_file``) and names classes and transforms from
closed lists, so that no description, wherever it comes from, can run code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MONAI, NNUNET = "monai", "nnunet"
ORGANS = ("brain", "prostate", "pancreas", "lung", "whole_body")

# How intensities become the network's input, by channel, and the arguments each way needs. "Nonzero" voxels are those
# of the brain, which is cut out.
NORMALIZATIONS: dict[str, tuple[str, ...]] = {
    "zscore_brain": (),  # clipped at the 0.5 and 99.5 percentiles of the nonzero voxels, then their mean 0 and SD 1
    "zscore_nonzero": (),  # mean 0 and SD 1 of the nonzero voxels; zeros stay zero (MONAI NormalizeIntensity, nonzero)
    "zscore": (),  # mean 0 and SD 1 of all voxels (MONAI NormalizeIntensity)
    "minmax": (),  # the smallest value to 0 and the largest to 1 (MONAI ScaleIntensity)
    "zscore_nonzero_to_unit": (),  # zscore_nonzero, then the smallest value to -1 and the largest to 1
    "ct_window": ("lower_hu", "upper_hu"),  # clipped to the window, then from 0 to 1 (MONAI ScaleIntensityRange)
    "ct_zscore": ("lower_hu", "upper_hu", "mean_hu", "sd_hu"),  # clipped, then with this mean and SD (nnU-Net)
}

# How the output channels become labels.
SOFTMAX = "softmax"  # one channel a label, background included: the largest wins
SIGMOID_TC_WT_ET = "sigmoid_tc_wt_et"  # channels TUMOR_REGIONS, in the order of ``outputs``: each is in or out at 0.5
DECODINGS = (SOFTMAX, SIGMOID_TC_WT_ET)
TUMOR_REGIONS = ("tumor_core", "whole_tumor", "enhancing")


@dataclass(frozen=True)
class OutputChannel:
    """One output channel of a network.

    Args:
        name: the region, e.g. ``"whole_tumor"``, or ``"background"``.
        label: its value in the label image. With ``SIGMOID_TC_WT_ET`` the regions lie inside each other and are painted
            whole tumor first, then core, then enhancing: BraTS's 1 for core, 2 for whole, 4 for enhancing.
    """

    name: str
    label: int


@dataclass(frozen=True)
class NetworkSpec:
    """A network and how to build it.

    Args:
        kind: ``MONAI``, a class of ``monai.networks.nets``; ``NNUNET``, one of ``dynamic_network_architectures``, which
            comes with nnU-Net v2.
        name: of the class, e.g. ``"SegResNet"``. Which there are, ``networks`` says.
        arguments: of the class, as JSON has them.
    """

    kind: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WeightsSource:
    """Where the weights are and how to know them again.

    Args:
        file: name inside the model's folder, e.g. ``"model.pt"``; inside ``Resources/Models`` where the model ships.
        shipped: True for weights that come with TumorTwin.
        url: address of the file, or of a ``.zip`` that holds it; None where the user brings the file.
        archive_members: the files to take out of the ``.zip``, as the ends of their paths, e.g. ``"models/model.pt"``;
            empty where ``url`` is the file itself.
        sha256: of ``file``, lower case hex; None where nobody publishes it: the first download's is then recorded.
        download_sha1: of what ``url`` gives, where the publisher lists only that.
        size_bytes: of what is downloaded, about; None where it is not published.
        licence: SPDX identifier, or what the publisher says.
        licence_url: its text.
        citation: what users of the model cite.
    """

    file: str
    shipped: bool = False
    url: str | None = None
    archive_members: tuple[str, ...] = ()
    sha256: str | None = None
    download_sha1: str | None = None
    size_bytes: int | None = None
    licence: str
    licence_url: str | None = None
    citation: str | None = None


@dataclass(frozen=True, kw_only=True)
class ModelDescription:
    """A model that outlines a tumor or an organ.

    Args:
        name: what jobs and scripts call it, e.g. ``"tumortwin_brain"``.
        title: what the panel calls it.
        summary: images it needs and regions it gives, in one sentence.
        organ: one of ``ORGANS``.
        modalities: the input channels in order, e.g. ``("T1", "T1CE", "T2", "FLAIR")``.
        network: what computes.
        spacing_mm: voxel size along the network's axes; None where the images' own is kept.
        orientation: directions in which the network's axes i, j, k grow, e.g. ``"RAS"``.
        normalization: one of ``NORMALIZATIONS``, with ``normalization_arguments`` by the names listed there.
        decoding: one of ``DECODINGS``.
        outputs: the output channels in order.
        window: sliding window in voxels along i, j, k.
        weights: where they are.
        smallest_enhancing_ml: enhancing islands below this volume are vessels or noise and are called necrotic core.
        needs_brain_mask: True where the network has seen only brains that were cut out of the head.
    """

    name: str
    title: str
    summary: str
    organ: str
    modalities: tuple[str, ...]
    network: NetworkSpec
    spacing_mm: tuple[float, float, float] | None
    orientation: str
    normalization: str
    normalization_arguments: Mapping[str, float] = field(default_factory=dict)
    decoding: str
    outputs: tuple[OutputChannel, ...]
    window: tuple[int, int, int]
    weights: WeightsSource
    smallest_enhancing_ml: float = 0.05
    needs_brain_mask: bool = False
