"""Reading a model that the user has on disk: a MONAI bundle or a trained nnU-Net, as a folder or a .zip."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation import archives, bundles, nnunet
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.networks import build_network, missing_package
from TumorTwinLib.segmentation.weights import fit_weights, read_weights

_READ_FILES = (bundles.METADATA, bundles.INFERENCE, "LICENSE", nnunet.PLANS, nnunet.DATASET)


def model_folder(path: Path, unpacked: Path) -> Path:
    """The folder that holds a bundle or an nnU-Net: the path itself, or the one inside a ``.zip``.

    Args:
        unpacked: an empty folder for what a ``.zip`` holds.

    Raises:
        TumorTwinError: it is neither, or the archive is not to be trusted.
    """
    candidates = [path]
    if path.is_file():
        archives.extract(path, unpacked, _is_read)
        candidates = [unpacked, *sorted(child for child in unpacked.rglob("*") if child.is_dir())]
    for folder in candidates:
        if bundles.is_bundle(folder) or nnunet.is_nnunet_folder(folder):
            return folder
    raise TumorTwinError(
        f"{path} is neither a MONAI bundle (configs/, {bundles.WEIGHTS}) nor a trained nnU-Net ({nnunet.PLANS}, "
        f"{nnunet.DATASET}): choose the folder or .zip that holds these."
    )


def describe(folder: Path, name: str, modalities: Sequence[str]) -> ModelDescription:
    """The description of what ``model_folder`` found."""
    if bundles.is_bundle(folder):
        return bundles.describe_bundle(folder, name, modalities)
    return nnunet.describe_nnunet(folder, name, modalities)


def weights_of(folder: Path) -> Path:
    return folder / bundles.WEIGHTS if bundles.is_bundle(folder) else nnunet.checkpoint_of(folder)


def ending_in(ends: Sequence[str]) -> Callable[[str], bool]:
    """Does a path end in one of these, folder by folder?"""
    return lambda name: any(f"/{name}".endswith(f"/{end}") for end in ends)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file of the user's.

    Raises:
        TumorTwinError: it is not there.
    """
    if not source.is_file():
        raise TumorTwinError(f"{source} does not exist: choose a complete model.")
    shutil.copyfile(source, target)


def check_fit(description: ModelDescription, folder: Path) -> None:
    """Make sure that the weights in a folder are those of the described network, before they are installed.

    Where only the network's package is missing they are read all the same, which refuses code and damage.

    Raises:
        TumorTwinError: they do not fit, or PyTorch is missing.
    """
    path = folder / description.weights.file
    missing = missing_package(description.network)
    if missing == "torch":
        raise TumorTwinError(f"{description.title} cannot be checked without the package torch: install it first.")
    weights = read_weights(path)
    if missing is None:
        fit_weights(build_network(description.network, description.title, folder), weights, path.name)


def _is_read(name: str) -> bool:
    return ending_in(_READ_FILES)(name) or name.endswith((".pt", ".pth"))
