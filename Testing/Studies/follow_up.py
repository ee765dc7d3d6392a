"""A second visit for a case that has one: its tumor grown by our solver, painted into its own scans, the head moved.

    python Testing/Studies/follow_up.py CASE OUT [--days 90] [--outlines]

CASE is a folder of a BraTS case. OUT becomes a patient's raw folder: two dated visits of four scans each, and with
``--outlines`` the outline of each. The truth of the second visit, in the frame of the first, is returned by
``make_follow_up``. What was painted is no real growth: it says whether a pipeline finds its way, not how well a model
forecasts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.transforms import apply, rigid_matrix
from TumorTwinLib.labels import regions_from_labels
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.twin import DigitalTwin
from TumorTwinLib.volume_files import read_volume, write_volume

SCANS = ("t1", "t1ce", "t2", "flair")
START = datetime(2024, 1, 10)
GROWTH = {"diffusivity_mm2_per_day": 0.08, "proliferation_per_day": 0.02}
ROTATION_DEG, TRANSLATION_MM = (3.0, -2.0, 4.0), (4.0, -6.0, 3.0)
GAIN, NOISE = 1.2, 0.01


def make_follow_up(case: Path, out: Path, *, days: float = 90.0, outlines: bool = False) -> Image:
    """Fill ``out`` with two visits; the labels of the second one in the frame of the first."""
    scans = {name: read_volume(next(case.glob(f"*_{name}.nii.gz"))) for name in SCANS}
    before = read_volume(next(case.glob("*_seg.nii.gz")))
    brain = Image(scans["t1ce"].array != 0, before.grid, "brain")
    after = grown(before, brain, days)
    head = before.grid.ras_mm(np.argwhere(brain.array)[::100]).mean(axis=0)
    matrix = rigid_matrix(ROTATION_DEG, TRANSLATION_MM, head)
    folders = [out / f"{START + timedelta(days=shift):%Y-%m-%d}" for shift in (0.0, days)]
    for folder in folders:
        folder.mkdir(parents=True)
    for number, (name, scan) in enumerate(scans.items()):
        shutil.copy(next(case.glob(f"*_{name}.nii.gz")), folders[0] / f"{name}.nii.gz")
        later = apply(painted(scan, before, after, brain, number), matrix, scan.grid)
        later = Image(np.round(GAIN * later.array).astype(np.int16), later.grid)
        write_volume(later, folders[1] / f"{name}.nii.gz")
    if outlines:
        shutil.copy(next(case.glob("*_seg.nii.gz")), folders[0] / "seg.nii.gz")
        write_volume(apply(after, matrix, after.grid, order=0), folders[1] / "seg.nii.gz")
    return after


def grown(before: Image, brain: Image, days: float) -> Image:
    """Labels after ``days`` of growth: new core enhances, new abnormality is edema, and nothing shrinks."""
    patient = PatientData(visits=[Visit(START, {}, regions_from_labels(before))], brain_mask=brain)
    model = ReactionDiffusionModel.from_patient(patient, resolution_mm=2.0)
    forecast = DigitalTwin(model, GROWTH, patient=patient).predict(days, [days])
    cells = Image(forecast.cellularity[-1], forecast.grid).resample(before.grid).array
    labels = before.array.astype(np.uint8).copy()
    labels[(cells > model.whole_level) & (labels == 0) & brain.array] = 2
    has_core = np.isin(before.array, (1, 4)).any()
    if has_core:
        labels[(cells > model.core_level) & np.isin(labels, (0, 2)) & brain.array] = 4
    return Image(labels, before.grid, "follow-up")


def painted(scan: Image, before: Image, after: Image, brain: Image, seed: int) -> Image:
    """The scan with new tumor as bright as the old one of its label, and new noise."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    array = scan.array.astype(np.float32)
    for label in np.unique(after.array[after.array != before.array]):
        known = before.array == label
        known = known if known.any() else before.array != 0
        mean, sd = float(scan.array[known].mean()), float(scan.array[known].std())
        texture = ndimage.gaussian_filter(rng.normal(size=array.shape), 1.5)
        texture *= sd / texture.std()
        new = ((after.array == label) & (before.array != label)).astype(np.float32)
        share = ndimage.gaussian_filter(new, 0.7)
        array = (1 - share) * array + share * (mean + texture)
    array += rng.normal(scale=NOISE * float(np.percentile(scan.array[brain.array], 99)), size=array.shape)
    return Image(np.where(brain.array, np.maximum(array, 1), 0).astype(np.float32), scan.grid, scan.name)


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    _parser.add_argument("case", type=Path)
    _parser.add_argument("out", type=Path)
    _parser.add_argument("--days", type=float, default=90.0)
    _parser.add_argument("--outlines", action="store_true")
    make_follow_up(**vars(_parser.parse_args()))
