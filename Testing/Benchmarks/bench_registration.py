"""Twenty known displacements of real heads, 10 degrees and 15 mm, recovered within and across contrasts.

The scans of one visit do not lie on each other to the millimetre, those of the BraTS cases included: two contrasts are
therefore registered undisplaced too, and the displacement recovered is measured against that. What the same errors are
when the alignment that a case came with is taken for the truth is recorded beside it.

Needs the research data (TUMORTWIN_DATA, or ../shared/data beside the checkout).
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import numpy as np

from Testing.Benchmarks.results import record
from Testing.imaging.moved_heads import brats, displaced, errors, random_displacement
from TumorTwinLib.imaging.registration import register_rigid
from TumorTwinLib.volume_files import read_volume

DATA = Path(os.environ.get("TUMORTWIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
BRATS_PAIRS = (("t1", "t2"), ("t1", "flair"), ("t1ce", "t1"))
COMMAND = "python -m Testing.Benchmarks.bench_registration"


def pairs():
    """(name, fixed, moving) of twenty registrations."""
    for case in ("00006", "01476", "01477", "01479", "01480"):
        for fixed, moving in BRATS_PAIRS:
            yield f"{case} {fixed} {moving}", brats(DATA, case, fixed), brats(DATA, case, moving)
    head = read_volume(DATA / "hgg/HGG_demo_001/T1_pre.nii.gz")
    flair = read_volume(DATA / "hgg/HGG_demo_001/T2_flair.nii.gz")
    sri24 = read_volume(DATA / "sri24/t1_stripped.nii.gz")
    thick = read_volume(DATA / "nrrd/brain1_image.nrrd")
    yield from (("demo T1 T1", head, head), ("demo T1 FLAIR", head, flair), ("SRI24", sri24, sri24))
    yield from (("SRI24 again", sri24, sri24), ("skull, 6.5 mm slices", thick, thick))


def main() -> None:
    if not DATA.is_dir():
        print(f"bench_registration skipped: {DATA} is absent")
        return
    rng = np.random.default_rng(2024)
    millimetres, degrees, as_delivered_mm, seconds, silent = [], [], [], [], 0
    for name, fixed, moving in pairs():
        own = np.eye(4) if moving is fixed else register_rigid(fixed, moving).matrix_ras
        truth = random_displacement(fixed, rng)
        moved = displaced(moving, truth, rng)
        start = time.process_time()
        found = register_rigid(fixed, moved)
        seconds.append(time.process_time() - start)
        error_mm, error_deg = errors(found, own @ truth, fixed)
        as_delivered_mm.append(errors(found, truth, fixed)[0])
        millimetres.append(error_mm)
        degrees.append(error_deg)
        silent += not found.warning and (error_mm > 1.0 or error_deg > 1.0)
        print(
            f"{name}: {error_mm:.2f} mm {error_deg:.2f} deg, as delivered {as_delivered_mm[-1]:.2f} mm, "
            f"{seconds[-1]:.1f} s {found.quality} {found.warning}",
            flush=True,
        )
    record("imaging", "registration_error_mm_max", max(millimetres), "mm, worst voxel", 1.0, "lower", COMMAND)
    record("imaging", "registration_error_deg_max", max(degrees), "degrees", 1.0, "lower", COMMAND)
    record("imaging", "registration_silent_failures", silent, "of 20", 0.0, "lower", COMMAND)
    unit = "mm, worst voxel, if the cases' own alignment were exact"
    record("imaging", "registration_error_as_delivered_mm_max", max(as_delivered_mm), unit, None, "lower", COMMAND)
    record("imaging", "registration_cpu_seconds_median", statistics.median(seconds), "s", 5.0, "lower", COMMAND)


if __name__ == "__main__":
    main()
