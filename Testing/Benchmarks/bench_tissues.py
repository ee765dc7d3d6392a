"""Tissue maps against the labels of the SRI24 atlas on its own T1; our atlas is another one (ICBM 152).

Needs the research data (TUMORTWIN_DATA, or ../shared/data beside the checkout).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from Testing.Benchmarks.results import record
from TumorTwinLib.geometry import Image
from TumorTwinLib.imaging.brain import extract_brain
from TumorTwinLib.imaging.tissues import TISSUES, tissue_maps
from TumorTwinLib.metrics import dice
from TumorTwinLib.volume_files import read_volume

DATA = Path(os.environ.get("TUMORTWIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SRI24_LABELS = {"WM": 3, "GM": 2, "CSF": 1}
COMMAND = "python -m Testing.Benchmarks.bench_tissues"


def sri24_dice() -> dict[str, float]:
    """Dice of the most probable tissue with each label, in the brain found by ourselves."""
    t1 = read_volume(DATA / "sri24" / "t1_stripped.nii.gz")
    labels = read_volume(DATA / "sri24" / "tissues.nii.gz").resample(t1.grid, order=0).array
    brain = extract_brain(t1).mask
    maps = tissue_maps(t1, Image(brain.array, t1.grid, "SRI24 brain"))
    likeliest = np.argmax([maps[tissue].array for tissue in TISSUES], axis=0)
    return {
        tissue: dice(brain.array & (likeliest == index), labels == SRI24_LABELS[tissue])
        for index, tissue in enumerate(TISSUES)
    }


def main() -> None:
    if not DATA.is_dir():
        print(f"bench_tissues skipped: {DATA} is absent")
        return
    start = time.perf_counter()
    found = sri24_dice()
    seconds = time.perf_counter() - start
    print(found, f"{seconds:.1f} s")
    for tissue, target in (("WM", 0.85), ("GM", 0.85), ("CSF", None)):
        record("imaging", f"tissue_dice_{tissue.lower()}", found[tissue], "Dice", target, "higher", COMMAND)


if __name__ == "__main__":
    main()
