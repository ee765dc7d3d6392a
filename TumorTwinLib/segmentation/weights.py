"""Weights files: read without running anything in them, and fitted to their network key by key."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TumorTwinLib.errors import TumorTwinError

if TYPE_CHECKING:
    import torch

# Where training programs put the weights inside what they save, and what parallel training puts before each name.
_NESTS = ("state_dict", "model_state_dict", "network_weights", "model", "network", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_arrays(path: Path) -> dict[str, Any]:
    """The top of a file saved by ``torch.save``: tensors, arrays, numbers and texts; never code.

    Raises:
        TumorTwinError: the file is absent, damaged, a program (TorchScript) or holds objects other than those.
    """
    import torch

    if not path.is_file():
        raise TumorTwinError(f"{path} does not exist: install the model again.")
    if _is_program(path):
        raise TumorTwinError(f"{path} is a TorchScript program, which is not run: use the model.pt beside it.")
    try:
        with torch.serialization.safe_globals(_numpy_names()):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each raise their own
        if "global" in str(error).lower():  # names a class or function that only running could make
            problem = "holds program code, which is not run: save its state_dict alone with torch.save"
        else:
            problem = "is no weights file of PyTorch or is damaged: download or copy it again"
        raise TumorTwinError(f"{path} {problem}.") from error
    if not isinstance(content, Mapping):
        raise TumorTwinError(f"{path} holds no weights by name: save the network's state_dict with torch.save.")
    return dict(content)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file by name, wherever in it the training program put them.

    Raises:
        TumorTwinError: as ``read_arrays``, or there are no tensors.
    """
    import torch

    content: Any = read_arrays(path)
    while not any(isinstance(value, torch.Tensor) for value in content.values()):
        nest = next((name for name in _NESTS if isinstance(content.get(name), Mapping)), None)
        if nest is None:
            raise TumorTwinError(f"{path} holds no weights by name: save the network's state_dict with torch.save.")
        content = content[nest]
    return {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}


def fit_weights(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], where: str) -> None:
    """Put weights into a network; nothing may miss, be left over, have another shape or be NaN.

    Args:
        where: the weights file, for the message.

    Raises:
        TumorTwinError: naming the first weight that does not fit. The network is then unchanged.
    """
    import torch

    expected = network.state_dict()
    found = min(_without_prefixes(weights), key=lambda names: len(set(expected) ^ set(names)))
    name = type(network).__name__
    missing = [key for key in expected if key not in found]
    extra = [key for key in found if key not in expected]
    if missing or extra:
        counts = [f"{len(missing)} of {len(expected)} weights missing, first {missing[0]}"] if missing else []
        counts += [f"{len(extra)} it does not have, first {extra[0]}"] if extra else []
        raise TumorTwinError(f"{where} does not fit {name}: {'; '.join(counts)}: choose the file of this model.")
    for key, tensor in expected.items():
        if found[key].shape != tensor.shape:
            raise TumorTwinError(
                f"{where} does not fit {name}: {key} is {tuple(found[key].shape)} instead of {tuple(tensor.shape)}: "
                "choose the file of this model."
            )
        if found[key].is_floating_point() and not bool(torch.isfinite(found[key]).all()):
            raise TumorTwinError(f"{where} holds values that are not finite in {key}: get an undamaged copy.")
    network.load_state_dict(found)


def _is_program(path: Path) -> bool:
    """TorchScript archives are zip files with the constants of a program."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return any(name.endswith("/constants.pkl") for name in file.namelist())


def _without_prefixes(weights: Mapping[str, torch.Tensor]) -> Iterator[dict[str, torch.Tensor]]:
    """The weights as named, then with each prefix that all names share taken off."""
    names = dict(weights)
    while True:
        yield names
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in names)), None)
        if prefix is None or not names:
            return
        names = {name.removeprefix(prefix): value for name, value in names.items()}


def _numpy_names() -> list[Any]:
    """What a file needs to hold arrays and numbers of NumPy, under the names of both its generations."""
    import numpy as np
    from numpy._core import multiarray

    kinds = (np.float32, np.float64, np.int32, np.int64, np.uint8, np.bool_)
    return [
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in kinds),
        *((multiarray._reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
        *((multiarray.scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    ]
