"""The brain atlas that comes with the library, and where it lies in a patient's head.

ICBM 152, an average of 152 people without their skulls, at 2 mm (``icbm152/``, made by Resources/Atlas/make_atlas.py).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.registration import Registration, register_affine
from TumorTwinLib.imaging.transforms import apply
from TumorTwinLib.volume_files import read_volume

FOLDER = Path(__file__).parent / "icbm152"
_MARGIN_MM = 8.0  # of dark around the brain that takes part in the match: CSF and skull


@dataclass(frozen=True, eq=False)
class Atlas:
    """Images on one 2 mm grid: T1 intensity, and probabilities from 0 to 1 that vanish outside the brain."""

    t1: Image
    white_matter: Image
    grey_matter: Image
    csf: Image
    ventricles: Image

    @functools.cached_property
    def brain(self) -> Image:
        """Probability of being inside the brain, CSF included."""
        total = self.white_matter.array + self.grey_matter.array + self.csf.array
        return Image(np.minimum(total, 1.0), self.t1.grid, "atlas brain")


@functools.cache
def load_atlas() -> Atlas:
    """The shipped atlas.

    Raises:
        TumorTwinError: its files are missing from the installation.
    """

    def probability(name: str) -> Image:
        image = read_volume(FOLDER / f"{name}.nii.gz")
        return Image(image.array.astype(np.float32) / 255.0, image.grid, f"atlas {name}")

    try:
        return Atlas(*(probability(name) for name in ("t1", "white_matter", "grey_matter", "csf", "ventricles")))
    except TumorTwinError as error:
        raise TumorTwinError(f"The brain atlas in {FOLDER} is incomplete: install TumorTwin again.") from error


def fit_atlas(image: Image) -> Registration:
    """The affine transform from the atlas to a scan of a head, with or without its skull.

    Returns:
        ``matrix_ras`` from atlas RAS to patient RAS, with the quality of the match.
    """
    from scipy import ndimage

    atlas = load_atlas()
    outside_mm = ndimage.distance_transform_edt(atlas.brain.array < 0.5, sampling=atlas.t1.grid.spacing_mm)
    around = Image((outside_mm < _MARGIN_MM).astype(np.float32), atlas.t1.grid, "around the atlas brain")
    found = register_affine(atlas.t1, image, fixed_mask=around)
    return Registration(np.linalg.inv(found.matrix_ras), found.quality, found.warning)


def atlas_map(field: Image, matrix_ras: np.ndarray, grid: Grid) -> np.ndarray:
    """A field of the atlas on a patient's grid."""
    return apply(field, matrix_ras, grid).array
