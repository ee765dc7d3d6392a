"""From a description to a network that is ready to compute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.networks import build_network
from TumorTwinLib.segmentation.store import ModelStore
from TumorTwinLib.segmentation.weights import fit_weights, read_weights

if TYPE_CHECKING:
    import torch


def load_network(
    description: ModelDescription, device: str | torch.device = "cpu", *, store: ModelStore | None = None
) -> torch.nn.Module:
    """The network with its weights, in evaluation mode.

    Args:
        device: where it computes, e.g. ``"cuda"``.
        store: where its weights are; by default the models of this computer.

    Returns:
        A module from (1, channels, i, j, k) images to (1, outputs, i, j, k) logits.

    Raises:
        TumorTwinError: weights or package are missing, or the weights were changed or do not fit.
    """
    store = store or ModelStore()
    path = store.weights_file(description)
    network = build_network(description.network, description.title, store.folder(description))
    fit_weights(network, read_weights(path), str(path))
    return network.requires_grad_(False).eval().to(device)
