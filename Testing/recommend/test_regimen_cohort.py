"""The study of how often a comparison is right: its arithmetic always, the study itself on request."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from Testing.Studies import regimen_cohort as cohort
from Testing.Studies.regimen_patients import DAYS, virtual_patient


def test_equal_effect_is_equal_and_the_patient_shows_its_tumor():
    one = virtual_patient(1)
    assert [one.patient.day(v.time) for v in one.patient.visits] == list(DAYS)
    assert all(v.whole_tumor.array.any() for v in one.patient.visits)
    days = float(one.times_to_progression(cohort.RADIOTHERAPY)[0])
    same = cohort.equal_effect(one, days)
    assert one.times_to_progression(same)[0] == pytest.approx(days, abs=2.0)
    assert one.times_to_progression(cohort.equal_effect(one, 1.2 * days))[0] == pytest.approx(1.2 * days, abs=2.0)
    again = virtual_patient(1)
    assert again.truth == one.truth
    assert np.array_equal(again.final, one.final)


def test_figures_count_claims_and_abstentions():
    def row(tie, power, recommended):
        times = {"a": 10.0, "b": 20.0}
        return {
            "tie": tie and {"recommended": None if tie == "none" else tie},
            "power": {"recommended": power},
            "choice": {"recommended": recommended, "true_days": times},
        }

    rows = [row("none", "temozolomide", "b"), row("temozolomide", None, "a"), row(None, "radiotherapy", None)]
    assert cohort.figures(rows) == {
        "regimen_wrong_better_percent": (1, 2),
        "regimen_power_percent": (1, 3),
        "regimen_power_wrong_percent": (1, 3),
        "regimen_right_choice_percent": (1, 2),
        "regimen_abstention_percent": (1, 3),
    }


@pytest.mark.study
def test_comparisons_are_right_or_silent():
    rows = cohort.run_cohort(100, Path(cohort.WORK))
    cohort.keep(rows)
    found = cohort.figures(rows)
    for name, limit in cohort.TARGETS.items():
        hits, total = found[name]
        share = 100.0 * hits / total
        assert share >= limit if name in cohort.HIGHER_IS_BETTER else share <= limit, name
