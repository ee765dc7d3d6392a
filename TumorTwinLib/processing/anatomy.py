"""The brain the tumor grows in: its mask, its tissues, and the fluid that no cell enters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.imaging.atlas import atlas_map, fit_atlas, load_atlas
from TumorTwinLib.imaging.brain import extract_brain
from TumorTwinLib.imaging.registration import Registration, RegistrationQuality
from TumorTwinLib.imaging.tissues import tissue_maps, ventricles
from TumorTwinLib.processing.record import Made

VENTRICLES = "anatomy/ventricles.nii.gz"
_LETTERS = {"white_matter": "WM", "grey_matter": "GM", "csf": "CSF"}
_DECIMALS = 3  # of a probability

# Where the ICBM 152 atlas lies in the space of the BraTS cases, SRI24: ``fit_atlas`` of SRI24's own T1 scan.
_BRATS_SHAPE = (240, 240, 155)
_BRATS_IJK_TO_RAS = np.array([[-1.0, 0, 0, 0], [0, -1.0, 0, 239.0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
_ICBM_TO_SRI24 = np.array(
    [
        [0.92103, -0.00705, -0.00371, -119.024],
        [-0.01331, 0.93437, -0.18618, 125.500],
        [-0.00685, 0.19142, 0.83970, 71.947],
        [0.0, 0.0, 0.0, 1.0],
    ]
)


def place_atlas(scan: Image) -> Made:
    """Values ``matrix_ras``, ``quality`` and ``warning`` of the atlas fitted to a scan."""
    found = fit_atlas(scan)
    values = {"matrix_ras": found.matrix_ras.tolist(), "quality": asdict(found.quality), "warning": found.warning}
    return Made(values=values, notices=(found.warning,) if found.warning else ())


def registration_of(values: Mapping[str, Any]) -> Registration:
    """What ``place_atlas`` found."""
    return Registration(
        np.array(values["matrix_ras"]), RegistrationQuality(**values["quality"]), str(values["warning"])
    )


def atlas_in_brats_space(grid: Grid) -> np.ndarray | None:
    """(4, 4) from the atlas to outlines that lie on the voxels of the BraTS cases, else None.

    Collections differ in where they put the origin, not in the voxels.
    """
    shift = grid.ijk_to_ras @ np.linalg.inv(_BRATS_IJK_TO_RAS)
    same = grid.shape == _BRATS_SHAPE and np.allclose(shift[:3, :3], np.eye(3), atol=1e-3)
    return shift @ _ICBM_TO_SRI24 if same else None


def find_brain(scan: Image, modality: str, fit: Registration | None) -> Made:
    """``brain_mask.nii.gz``, and how it was found."""
    brain = extract_brain(scan, modality=modality, fit=fit)
    volume_ml = float(np.count_nonzero(brain.mask.array) * scan.grid.voxel_volume_mm3 / 1000.0)
    values = {"method": brain.method, "volume_ml": round(volume_ml, 1)}
    notices = [notice for notice in brain.notices if fit is None or notice != fit.warning]
    return Made({"brain_mask.nii.gz": brain.mask}, values, tuple(notices))


def brain_of_tissues(tissues: Mapping[str, Image], tumors: Sequence[Image]) -> Made:
    """The brain of outlines without scans: where there is tissue, and where the tumor is."""
    first = next(iter(tissues.values()))
    total = np.add.reduce([image.array.astype(np.float32) for image in tissues.values()])
    mask = np.logical_or.reduce([total > 0.5, *(tumor.array > 0 for tumor in tumors)])
    return Made({"brain_mask.nii.gz": Image(mask, first.grid, "brain")}, {"method": "tissues"})


def atlas_tissues(matrix_ras: np.ndarray, grid: Grid) -> dict[str, Image]:
    """The atlas's own tissue fractions, where no T1-weighted scan tells the patient's."""
    atlas = load_atlas()
    return {name: Image(atlas_map(getattr(atlas, name), matrix_ras, grid), grid, f"atlas {name}") for name in _LETTERS}


def find_tissues(
    t1: Image | None,
    brain: Image,
    tumors: Sequence[Image],
    fit: Registration | None,
    *,
    given: Mapping[str, Image],
    cavities: Sequence[Image] = (),
) -> Made:
    """``white_matter``, ``grey_matter`` and ``csf`` as fractions, and the ventricles.

    Ventricles and resection cavities are fluid, so that they bar the tumor's way; where a tumor is outlined at any
    visit there is tissue, whatever the atlas says of that place.

    Args:
        t1: scan on the common grid; not needed where maps are given.
        tumors: whole tumors of all visits, and the first of them is left out when tissues are learned.
        given: maps made elsewhere, by name, on the same grid.
    """
    lesion = tumors[0] if tumors else None
    files: dict[str, Any] = {}
    if given:
        maps = {name: np.clip(given[name].array, 0, 1).astype(np.float32) for name in _LETTERS if name in given}
    elif t1 is not None:
        found = tissue_maps(t1, brain, lesion=lesion, fit=fit)
        maps = {name: found[letter].array.copy() for name, letter in _LETTERS.items()}
        if fit is not None:
            fluid = ventricles(found, fit)
            files[VENTRICLES] = fluid
            _fill(maps, fluid.array & (brain.array > 0), "csf")
    else:
        raise TumorTwinError("There is no T1-weighted scan to find the tissues in: give tissue maps.")
    for cavity in cavities:
        _fill(maps, cavity.array > 0, "csf")
    grown = np.logical_or.reduce([tumor.array > 0 for tumor in tumors]) if tumors else np.zeros(brain.grid.shape, bool)
    notices = []
    if drowned := _make_solid(maps, grown):
        volume_ml = drowned * brain.grid.voxel_volume_mm3 / 1000.0
        if volume_ml > 0.5:
            notices.append(f"{volume_ml:.1f} mL of the outlined tumor is fluid in the tissue maps: taken as tissue.")
    files |= {
        f"{name}.nii.gz": Image(np.round(array, _DECIMALS), brain.grid, name.replace("_", " "))
        for name, array in maps.items()
    }
    return Made(files, {"source": "given" if given else "scan"}, tuple(notices))


def _fill(maps: Mapping[str, np.ndarray], where: np.ndarray, tissue: str) -> None:
    """Make a place wholly of one tissue."""
    for name, array in maps.items():
        array[where] = float(name == tissue)


def _make_solid(maps: Mapping[str, np.ndarray], where: np.ndarray) -> int:
    """Replace the fluid of a place by its white and grey matter in their own proportion; how many voxels it covered."""
    white = maps.get("white_matter", np.zeros(where.shape, np.float32))[where]
    grey = maps.get("grey_matter", np.zeros(where.shape, np.float32))[where]
    solid = white + grey
    drowned = solid < 0.5
    share = np.where(solid > 0, white / np.maximum(solid, 1e-6), 1.0)
    for name, part in (("white_matter", share), ("grey_matter", 1.0 - share), ("csf", np.zeros_like(share))):
        if name in maps:
            maps[name][where] = np.where(drowned, part, maps[name][where])
    return int(np.count_nonzero(drowned))
