"""Real gliomas at two times, calibrated: wide intervals, and what rests on the prior marked.

    python -m Testing.Studies.real_pairs

Masks after treatment only, no dates and no treatments, in a template's head (SRI24): the interval is tried at 90 and
180 days. There is no truth to hold forecasts against; what is checked is that it runs, and what it admits not to know.
Needs the research data (TUMORTWIN_DATA, or ../shared/data beside the checkout).
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from Testing.Benchmarks.result_tables import Cell, write_table
from Testing.Benchmarks.results import record
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.labels import regions_from_labels
from TumorTwinLib.models.glioblastoma import ReactionDiffusionModel
from TumorTwinLib.patient import PatientData, Visit
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.volume_files import read_volume

DATA = Path(os.environ.get("TUMORTWIN_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PATIENTS = ("100001", "100118")
INTERVALS_DAYS = (90.0, 180.0)
HORIZON_DAYS = 90.0
RESOLUTION_MM = 4.0
COMMAND = "python -m Testing.Studies.real_pairs"
_DRAWS, _FUTURES = 200, 64
_START = datetime(2024, 1, 10)
_ORIGIN_OFF_MM = (118.0, -136.0, -58.0)


def head() -> tuple[Image, dict[str, Image]]:
    """The atlas's brain and tissue maps, on the coarse grid."""
    names = {"grey_matter": "pbmap_gm", "white_matter": "pbmap_wm"}
    maps = {tissue: read_volume(DATA / "sri24" / f"{name}.nii.gz") for tissue, name in names.items()}
    maps = {tissue: Image(image.array / image.array.max(), image.grid, tissue) for tissue, image in maps.items()}
    whole = read_volume(DATA / "sri24" / "t1_stripped.nii.gz")
    return Image(whole.array > 0, whole.grid, "SRI24 brain"), maps


def pair(number: str, interval_days: float, brain: Image, tissues: dict[str, Image]) -> PatientData:
    visits = []
    for time_point, day in ((1, 0.0), (2, interval_days)):
        labels = read_volume(DATA / "glioma_pairs" / f"{number}_time{time_point}_seg.nii.gz")
        regions = regions_from_labels(_in_atlas(labels), "brats2024")
        visits.append(Visit(_START + timedelta(days=day), {}, {n: r for n, r in regions.items() if r.array.any()}))
    return PatientData(f"{number}_{interval_days:.0f}d", visits=visits, brain_mask=brain, tissues=tissues)


def _in_atlas(labels: Image) -> Image:
    """The masks are in the atlas's voxels, with their own origin."""
    affine = labels.grid.ijk_to_ras.copy()
    affine[:3, 3] -= _ORIGIN_OFF_MM
    return Image(labels.array, Grid(labels.grid.shape, affine), labels.name)


def calibrated_row(patient: PatientData, interval_days: float) -> dict[str, Cell]:
    """What the posterior says and what it does not."""
    model = ReactionDiffusionModel.from_patient(patient, resolution_mm=RESOLUTION_MM)
    settings = SolverSettings(tolerance=1e-2)
    posterior = BayesianCalibration(model, patient, _DRAWS, settings=settings).run()
    band = posterior.predictive(HORIZON_DAYS, [HORIZON_DAYS], fields=_FUTURES, field_days=()).band("whole_tumor")
    seen = [visit.whole_tumor for visit in patient.visits]
    volumes = [0.0 if m is None else np.count_nonzero(m.array) * m.grid.voxel_volume_mm3 / 1e3 for m in seen]
    prior_dominated = [name for name, informed in posterior.informed.items() if not informed]
    low, up = posterior.credible_interval(0.95)["proliferation_per_day"]
    return {
        "patient": patient.patient_id.split("_")[0], "interval": f"{interval_days:.0f} days",
        "whole tumor, mL": f"{volumes[0]:.1f}, {volumes[1]:.1f}",
        "rho, 95 % 1/day": f"{low:.3g} to {up:.3g}",
        f"forecast in {HORIZON_DAYS:.0f} days, 95 % mL": f"{band.lower[0] / 1e3:.0f} to {band.upper[0] / 1e3:.0f}",
        "up over low": float(band.upper[0] / max(band.lower[0], 1.0)),
        "prior-dominated": ", ".join(prior_dominated) or "none", "draws by": posterior.draws.method,
    }  # fmt: skip


def main() -> None:
    if not (DATA / "glioma_pairs").is_dir():
        print(f"real_pairs skipped: {DATA} is absent")
        return
    brain, tissues = head()
    rows = []
    for number in PATIENTS:
        for interval in INTERVALS_DAYS:
            cpu = time.process_time()
            rows.append(calibrated_row(pair(number, interval, brain, tissues), interval))
            print(rows[-1], f"{time.process_time() - cpu:.0f} CPU s", flush=True)
    write_table("real_pairs", rows)
    record("coverage", "real_pairs_calibrated", len(rows), "pairs and intervals", 4, "higher", COMMAND)


if __name__ == "__main__":
    main()
