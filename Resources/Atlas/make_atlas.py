"""Remake the brain atlas the library ships, from the ICBM152 template that nilearn carries.

    pip install -e ".[sample]"
    python Resources/Atlas/make_atlas.py

writes the volumes of ``TumorTwinLib/imaging/icbm152/``: T1 and the probabilities of white matter, grey matter, CSF and
the ventricles at 2 mm, all in 0 to 255. The atlas is stripped: beyond the brain's CSF everything is zero.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from TumorTwinLib.geometry import Grid, Image  # noqa: E402
from TumorTwinLib.volume_files import write_volume  # noqa: E402

OUT = ROOT / "TumorTwinLib" / "imaging" / "icbm152"
DEEP_MM = 18.0  # below the brain's surface: deeper than the sulci of a blurred average reach
# Where the ventricles' deep parts lie (MNI millimetres); cisterns are as deep, and elsewhere.
VENTRICLES_MM = {"left": (-17, -24, 16), "right": (17, -24, 16), "third": (0, -24, 14), "fourth": (0, -47, -33)}
NEAR_MM = 6.0


def make(folder: Path) -> None:
    from nilearn import datasets

    t1, grey, white, mask = (
        load(resolution=1)
        for load in (
            datasets.load_mni152_template,
            datasets.load_mni152_gm_template,
            datasets.load_mni152_wm_template,
            datasets.load_mni152_brain_mask,
        )
    )
    grid = Grid(t1.shape, t1.affine)
    brain = mask.get_fdata(dtype=np.float32) > 0
    white_p, grey_p = (np.clip(image.get_fdata(dtype=np.float32), 0, 1) * brain for image in (white, grey))
    csf_p = np.clip(brain - white_p - grey_p, 0, 1)
    fields = {
        "t1": t1.get_fdata(dtype=np.float32) * brain,
        "white_matter": white_p,
        "grey_matter": grey_p,
        "csf": csf_p,
        "ventricles": csf_p * ventricles(csf_p, brain, grid),
    }
    folder.mkdir(exist_ok=True)
    lower, upper = np.argwhere(brain).min(axis=0) - 16, np.argwhere(brain).max(axis=0) + 17
    at_two_mm = grid.crop(tuple(lower), tuple(upper)).with_spacing(2.0)
    for name, field in fields.items():
        small = Image(field, grid).resample(at_two_mm).array
        values = np.round(255 * np.clip(small / field.max(), 0, 1)).astype(np.uint8)
        write_volume(Image(values, at_two_mm), folder / f"{name}.nii.gz")


def ventricles(csf_p: np.ndarray, brain: np.ndarray, grid: Grid) -> np.ndarray:
    """Boolean: the CSF deep in the brain at the ventricles' places, on a 1 mm grid."""
    deep = ndimage.distance_transform_edt(brain) > DEEP_MM
    labels, count = ndimage.label(ndimage.binary_opening((csf_p > 0.5) & deep))
    centers_mm = grid.ras_mm(np.array(ndimage.center_of_mass(labels > 0, labels, np.arange(1, count + 1))))
    gap_mm = np.linalg.norm(centers_mm[:, None] - np.array(list(VENTRICLES_MM.values())), axis=2).min(axis=1)
    return ndimage.binary_dilation(np.isin(labels, 1 + np.flatnonzero(gap_mm < NEAR_MM)), iterations=3)


if __name__ == "__main__":
    make(OUT)
