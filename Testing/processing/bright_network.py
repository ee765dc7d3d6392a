"""A network with weights set by hand: what is bright on FLAIR is edema. Its answer is known without training."""

from __future__ import annotations

from dataclasses import replace

from Testing.segmentation.small_models import model
from TumorTwinLib.segmentation.description import NetworkSpec, WeightsSource
from TumorTwinLib.segmentation.description_file import write_description
from TumorTwinLib.segmentation.folders import user_models_folder
from TumorTwinLib.segmentation.networks import build_network
from TumorTwinLib.segmentation.weights import file_sha256

NAME = "bright"
_ARGUMENTS = {
    "spatial_dims": 3, "in_channels": 4, "out_channels": 3, "init_filters": 8, "blocks_down": [1], "blocks_up": [],
}  # fmt: skip
_FLAIR, _WHOLE = 3, 1  # channels of the input and the output
_THRESHOLD_SD = 3.0


def install_bright_network() -> str:
    """Put the model into the user's folder; its name."""
    import torch

    folder = user_models_folder() / NAME
    folder.mkdir(parents=True)
    spec = NetworkSpec("monai", "SegResNet", _ARGUMENTS)
    network = build_network(spec, NAME, folder)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            weights.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
        network.convInit.conv.weight[:, _FLAIR, 1, 1, 1] = 1.0
        norm, _, last = network.conv_final  # each filter becomes standard deviations above the mean of the window
        norm.weight.fill_(1.0)
        norm.bias.fill_(0.0)
        last.conv.weight[_WHOLE, 0] = 4.0
        last.conv.bias.copy_(torch.tensor([-20.0, -4.0 * _THRESHOLD_SD, -20.0]))
    torch.save(network.state_dict(), folder / "model.pt")
    source = WeightsSource(file="model.pt", licence="none", sha256=file_sha256(folder / "model.pt"))
    description = replace(
        model(window=(48, 48, 48)), name=NAME, title="Bright", summary="Bright on FLAIR.", network=spec, weights=source
    )
    write_description(folder / "model.json", description)
    return NAME
