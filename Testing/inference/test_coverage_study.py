"""The coverage study on a few patients: its generator, its resuming runner and the page made of its rows."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest

from Testing.Benchmarks.result_tables import write_table
from Testing.Benchmarks.results import read
from Testing.Studies import cohort, sbc_study
from Testing.Studies.coverage_study import forecast_rows
from Testing.Studies.resumable import read_all, run_all
from Testing.Studies.uncertainty_document import coverage_of, rewrite_document
from Testing.Studies.virtual_scans import HORIZONS_DAYS, drawn_mm3, make_patient
from Testing.Studies.virtual_tumors import Dose, Truth, grow, head

PLAIN = Truth(
    0.15, 0.03, 0.03, 0.3, anisotropy=0.0, necrosis_per_day=0.0, necrosis_level=0.8, clearance_half_life_days=14.0,
    drift_sd=0.0, drift_days=30.0, trend_per_day=0.0, core_level=0.6, whole_level=0.2, volume_mm3=12e3,
    seed_ras_mm=(37.0, 0.0, 6.0),
)  # fmt: skip


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_killed_cells_stay_visible_and_are_cleared_by_their_half_life():
    kill = 0.4
    alpha = kill / PLAIN.radiosensitivity_per_gy
    still = Truth(**{**PLAIN.to_dict(), "proliferation_per_day": 1e-9, "volume_mm3": 1.0})
    before, after, later = grow(still, [Dose(1.0, gray_equivalent=alpha)], [0.5, 1.0, 15.0], rng())
    assert after.living.sum() == pytest.approx(math.exp(-kill) * before.living.sum(), rel=1e-6)
    assert after.total.sum() == pytest.approx(before.total.sum(), rel=1e-6)
    assert later.dead.sum() == pytest.approx(0.5 * after.dead.sum(), rel=0.03)  # explicit steps of a day
    assert later.living.sum() == pytest.approx(after.living.sum(), rel=1e-6)  # no cell leaves through a wall
    assert not later.living[~head().brain].any()


def test_fibers_stretch_a_tumor_and_necrosis_empties_its_middle():
    wild = Truth(**{**PLAIN.to_dict(), "anisotropy": 0.5, "necrosis_per_day": 0.05, "necrosis_level": 0.3})
    (round_one,), (long_one,) = (grow(truth, [], [0.0], rng()) for truth in (PLAIN, wild))

    def stretch(u: np.ndarray) -> float:
        place = np.indices(u.shape)[1:3]  # along and across the fibers of the side of the head
        spread = [np.sqrt(np.average((x - np.average(x, weights=u)) ** 2, weights=u)) for x in place]
        return float(spread[0] / spread[1])

    assert stretch(long_one.total) > 1.15 * stretch(round_one.total)
    assert long_one.necrotic.max() > 0.05
    assert not round_one.necrotic.any()


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[dict]:
    """Two patients with few draws."""
    patch = pytest.MonkeyPatch()
    patch.setattr(cohort, "_DRAWS", 0)
    patch.setattr(cohort, "_FUTURES", 24)
    patch.setattr(cohort, "_UNSEEN", 16)
    found = [cohort.forecast_patient(seed) for seed in (1, 2)]
    patch.undo()
    return found


def test_a_patient_has_scans_to_calibrate_on_and_volumes_to_come():
    virtual = make_patient(3)
    assert len(virtual.patient.visits) == 3
    assert all(drawn_mm3(visit)["whole_tumor"] > 500.0 for visit in virtual.patient.visits)
    assert [len(volumes) for volumes in virtual.later_mm3.values()] == [len(HORIZONS_DAYS)] * 2
    again = make_patient(3)
    assert again.later_mm3 == virtual.later_mm3
    assert np.array_equal(again.patient.visits[1].images["ADC"].array, virtual.patient.visits[1].images["ADC"].array)


def test_the_page_is_made_of_the_rows(results, tmp_path):
    rows = forecast_rows("test", results[:1]) + forecast_rows("conformal", results[1:])
    assert len(rows) == 2 * 2 * len(HORIZONS_DAYS)
    raw = coverage_of(rows, "whole_tumor", 30.0, 0.95, calibrated=False)
    mended = coverage_of(rows, "whole_tumor", 30.0, 0.5, calibrated=True)
    assert raw.share in (0.0, 1.0)
    assert raw.lower <= raw.share <= raw.upper
    assert mended.width > 0
    replicates = [{"seed": n, "q": float(rank)} for n, rank in enumerate(np.random.default_rng(1).permutation(100))]
    tables, docs = tmp_path / "tables", tmp_path / "docs"
    (docs / "figures").mkdir(parents=True)
    (docs / "uncertainty.md").write_text("before\n<!-- coverage -->\n<!-- /coverage -->\nafter\n", encoding="utf-8")
    write_table("coverage_forecasts", rows, folder=tables)
    write_table("sbc_ranks", replicates, folder=tables)
    rewrite_document(tables, tmp_path, docs)
    page = (docs / "uncertainty.md").read_text(encoding="utf-8")
    assert page.startswith("before")
    assert page.rstrip().endswith("after")
    assert "| whole tumor | 180 | 95% |" in page
    assert "| `q` | yes |" in page
    ElementTree.parse(docs / "figures" / "coverage.svg")
    figures = {row["name"]: row["value"] for row in read("coverage", folder=tmp_path)}
    assert figures["coverage_n"] == 1
    assert figures["sbc_n"] == 100
    assert figures["sbc_statistics_inside_band_fraction"] == 1.0
    assert figures["crps_ratio_to_prior"] > 0


def test_a_replicate_ranks_parameters_likelihood_and_volume():
    ranks = sbc_study.run_replicate(7)["ranks"]
    assert set(ranks) == {*sbc_study.simulator().unknowns.parameters, "log_likelihood", sbc_study.QUANTITY}
    assert all(0 <= rank <= sbc_study.RANKED for rank in ranks.values())


def _square(seed: int) -> dict:
    if seed == 3:
        raise ValueError("three")
    return {"seed": seed, "square": seed**2}


def test_what_is_done_is_not_redone_and_a_failure_is_told(tmp_path):
    first, failed = run_all(_square, range(3), tmp_path, processes=1)
    assert [one["square"] for one in first] == [0, 1, 4]
    assert not failed
    (tmp_path / "1.json").write_text('{"seed": 1, "square": -1}', encoding="utf-8")
    second, failed = run_all(_square, range(5), tmp_path, processes=1)
    assert [one["square"] for one in second] == [0, -1, 4, 16]
    assert failed == {3: "ValueError: three"}
    assert read_all([4, 9], tmp_path) == [{"seed": 4, "square": 16}]
