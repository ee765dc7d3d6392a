"""The network classes a description may name, and building them. No other class is ever looked up."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.description import MONAI, NNUNET, NetworkSpec
from TumorTwinLib.segmentation.weights import read_arrays

if TYPE_CHECKING:
    import torch

NETWORKS: dict[str, tuple[str, ...]] = {
    MONAI: ("SegResNet", "SegResNetDS", "DynUNet", "UNet", "BasicUNet", "AttentionUnet", "SwinUNETR", "DiNTS"),
    NNUNET: ("PlainConvUNet", "ResidualEncoderUNet"),
}
PACKAGES = {MONAI: "monai", NNUNET: "dynamic_network_architectures"}  # what has to be installed for each kind
_INSTALL = {MONAI: "monai", NNUNET: "nnunetv2"}
_MODULES = {MONAI: "monai.networks.nets", NNUNET: "dynamic_network_architectures.architectures.unet"}
_MOST_PARAMETERS = 1_000_000_000  # 4 GB; a description may not fill the memory
# nnU-Net names the layers of a network by class. These are what its planner writes.
_LAYERS = {
    "torch.nn.modules.conv.Conv3d": ("torch.nn", "Conv3d"),
    "torch.nn.modules.instancenorm.InstanceNorm3d": ("torch.nn", "InstanceNorm3d"),
    "torch.nn.modules.batchnorm.BatchNorm3d": ("torch.nn", "BatchNorm3d"),
    "torch.nn.modules.dropout.Dropout3d": ("torch.nn", "Dropout3d"),
    "torch.nn.LeakyReLU": ("torch.nn", "LeakyReLU"),
    "torch.nn.modules.activation.LeakyReLU": ("torch.nn", "LeakyReLU"),
    "torch.nn.ReLU": ("torch.nn", "ReLU"),
}
LAYER_NAMES = tuple(_LAYERS)
LAYER_ARGUMENTS = ("conv_op", "norm_op", "dropout_op", "nonlin")


def missing_package(spec: NetworkSpec) -> str | None:
    """What to install before such a network can run, or None."""
    for package, install in (("torch", "torch"), (PACKAGES[spec.kind], _INSTALL[spec.kind])):
        if importlib.util.find_spec(package) is None:
            return install
    return None


def build_network(spec: NetworkSpec, where: str, folder: Path) -> torch.nn.Module:
    """The network on the CPU, with the random weights it starts from.

    Args:
        where: the model, for messages.
        folder: of the model's files; a searched architecture (DiNTS) is read from there.

    Raises:
        TumorTwinError: its package is missing, or the class does not take these arguments.
    """
    package = missing_package(spec)
    if package is not None:
        raise TumorTwinError(f"{where} needs the package {package}, which is not installed: install it or use another.")
    import torch

    with torch.device("meta"):  # counts the parameters without filling memory
        outline = _construct(spec, where, folder)
    count = sum(parameter.numel() for parameter in outline.parameters())
    if count > _MOST_PARAMETERS:
        raise TumorTwinError(f"{where} describes a network of {count:.2g} parameters: check network.arguments.")
    return _construct(spec, where, folder)


def _construct(spec: NetworkSpec, where: str, folder: Path) -> torch.nn.Module:
    if spec.name not in NETWORKS.get(spec.kind, ()):
        raise TumorTwinError(f"{where} names the network {spec.kind} {spec.name}, which is not one of those allowed.")
    module: Any = importlib.import_module(_MODULES[spec.kind])
    try:
        if spec.name == "DiNTS":
            return _dints(module, spec.arguments, where, folder)
        arguments = spec.arguments if spec.kind == MONAI else _with_layers(spec.arguments, where)
        return getattr(module, spec.name)(**arguments)
    except TumorTwinError:
        raise
    except Exception as error:  # whatever a constructor dislikes about its arguments
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TumorTwinError(f"{where}: {spec.name} does not take these arguments ({reason}).") from error


def _dints(nets: Any, arguments: Mapping[str, Any], where: str, folder: Path) -> torch.nn.Module:
    """MONAI's searched network: its topology is a file of arrays beside the weights (He, CVPR 2021)."""
    import numpy as np
    import torch

    file = str(arguments["architecture_file"])
    if Path(file).name != file:
        raise TumorTwinError(f"{where} names the architecture file {file}, which is not in its folder: correct it.")
    with torch.device("cpu"):
        code = {name: np.asarray(value) for name, value in read_arrays(folder / file).items()}
        missing = {"arch_code_a", "arch_code_c", "node_a"} - set(code)
        if missing:
            raise TumorTwinError(f"{where}: the architecture file lacks {sorted(missing)[0]}: download it again.")
        space = nets.TopologyInstance(
            **arguments["topology"], arch_code=[code["arch_code_a"], code["arch_code_c"]], device="cpu"
        )
        node = torch.as_tensor(code["node_a"])
        return nets.DiNTS(dints_space=space, node_a=node, **arguments["network"])


def _with_layers(arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """nnU-Net's arguments with the names of layers replaced by their classes, from the closed list."""
    given = dict(arguments)
    for name in LAYER_ARGUMENTS:
        layer = given.get(name)
        if layer is None:
            continue
        if layer not in _LAYERS:
            raise TumorTwinError(f"{where} names the layer {layer}, which is not one of those allowed.")
        module, attribute = _LAYERS[layer]
        given[name] = getattr(importlib.import_module(module), attribute)
    return given
