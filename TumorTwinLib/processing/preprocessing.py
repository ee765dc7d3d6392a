"""The user's own MONAI transforms in place of bias correction: from a scan to a scan, wherever its voxels end up."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.volume_files import write_volume

INTENSITY_MODALITIES = ("T1", "T1CE", "T2", "FLAIR")  # whose values have no unit, so that they may be rescaled
_DEPTH = 4


def preprocess(images: Mapping[str, Image], transforms: Any) -> dict[str, Image]:
    """Scans through a MONAI ``Compose``; those whose values have a unit pass as they are.

    Array transforms are applied to each scan by itself. Dictionary transforms get all at once, by modality. Either may
    begin with ``LoadImage``, which then reads a temporary copy without a name, or take arrays with a channel axis.

    Args:
        images: by modality.
        transforms: array or dictionary transforms, none of them random.

    Raises:
        TumorTwinError: a transform failed, or gave something else than one 3-D volume a scan.
    """
    import torch
    from monai.data import MetaTensor
    from monai.transforms import LoadImage, LoadImaged, MapTransform

    chosen = {name: image for name, image in images.items() if name in INTENSITY_MODALITIES}
    transforms = copy.deepcopy(transforms)  # they remember what they were applied to, which is no part of ``described``
    steps = list(transforms.transforms)
    with tempfile.TemporaryDirectory() as folder:

        def given(name: str, image: Image) -> Any:
            if isinstance(steps[0], LoadImage | LoadImaged):
                path = Path(folder) / f"{name}.nii.gz"
                write_volume(image, path)
                return str(path)
            return MetaTensor(image.array.astype(np.float32)[None], affine=torch.tensor(image.grid.ijk_to_ras))

        try:
            if any(isinstance(step, MapTransform) for step in steps):
                done = transforms({name: given(name, image) for name, image in chosen.items()})
            else:
                done = {name: transforms(given(name, image)) for name, image in chosen.items()}
        except Exception as error:  # whatever the user's transforms raise
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise TumorTwinError(
                f"The preprocessing failed ({reason}): check its transforms and their keys."
            ) from error
    return {name: _image(done[name], image) if name in chosen else image for name, image in images.items()}


def _image(tensor: Any, original: Image) -> Image:
    array = np.asarray(tensor)
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3 or not hasattr(tensor, "affine"):
        raise TumorTwinError(
            f"The preprocessing made {original.name} an array of shape {array.shape} or lost its place in space: keep "
            "one channel and MONAI's MetaTensor."
        )
    return Image(array.astype(np.float32), Grid(array.shape, np.asarray(tensor.affine)), original.name)


def described(transforms: Any, depth: int = _DEPTH) -> Any:
    """What a transform does, as text and numbers that are the same in every process."""
    if transforms is None or isinstance(transforms, (str, int, float, bool)):
        return transforms
    if isinstance(transforms, np.ndarray):
        return transforms.tolist()
    if isinstance(transforms, Mapping):
        return {str(key): described(value, depth) for key, value in transforms.items()}
    if isinstance(transforms, (list, tuple, set)):
        return [described(one, depth) for one in transforms]
    code = getattr(transforms, "__code__", None)
    if code is not None:
        return [transforms.__qualname__, code.co_code.hex(), re.sub(r" at 0x\w+", "", repr(code.co_consts))]
    kept = {} if depth == 0 or isinstance(transforms, np.random.RandomState) else getattr(transforms, "__dict__", {})
    return [type(transforms).__qualname__, {name: described(value, depth - 1) for name, value in sorted(kept.items())}]
