"""The calendar preview, and what a course costs."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from TumorTwinLib.treatment.calendar import WEEKDAYS, calendar
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery
from TumorTwinLib.treatment.regimens import REGIMENS
from TumorTwinLib.treatment.toxicity import Toxicity, toxicity_proxies

THURSDAY = datetime(2024, 3, 7, 9)


def test_weeks_by_days():
    events = [
        DrugDose(THURSDAY + timedelta(days=15), "fluorouracil", 2400.0, "mg/m2", 46.0),
        RadiotherapyFraction(THURSDAY, 1.5),
        RadiotherapyFraction(THURSDAY + timedelta(hours=6), 1.5),
        DrugDose(THURSDAY, "temozolomide", 75.0, "mg/m2"),
        Surgery(THURSDAY - timedelta(days=1)),
    ]
    weeks = calendar(events)
    assert [week.monday for week in weeks] == [date(2024, 3, 4), date(2024, 3, 11), date(2024, 3, 18)]
    assert weeks[0].days == ("", "", "resection", "2 x 1.5 Gy, temozolomide 75 mg/m2", "", "", "")
    assert weeks[1].days == ("",) * 7
    assert weeks[2].days[4] == "fluorouracil 2400 mg/m2 over 46 h"
    assert len(WEEKDAYS) == 7


def test_stupp_in_the_calendar():
    weeks = calendar(REGIMENS["gbm_stupp"].events(datetime(2024, 3, 4, 8)))
    assert weeks[0].days == ("temozolomide 75 mg/m2, 2 Gy",) * 5 + ("temozolomide 75 mg/m2",) * 2
    assert not any(weeks[7].days)  # the gap
    assert len(weeks) == 31


def test_nothing_given_costs_nothing():
    assert calendar([]) == ()
    assert toxicity_proxies([]) == Toxicity()


def test_the_burden_of_stupp():
    burden = toxicity_proxies(REGIMENS["gbm_resection_stupp"].events(datetime(2024, 3, 4, 8)))
    assert burden.bed3_gy == pytest.approx(100.0)  # 60 (1 + 2 / 3)
    assert burden.cumulative_dose == {"temozolomide": 75 * 40 + 150 * 5 + 200 * 25}
    assert burden.units == {"temozolomide": "mg/m2"}
    assert burden.surgeries == 1
    assert burden.weeks == (28 + 39 + 28 + 5 * 28 + 4) // 7 + 1
    assert burden.visits == 1 + 40 + 30


def test_twice_a_day_is_one_visit_and_a_heavier_burden_per_gray_less():
    once = toxicity_proxies([RadiotherapyFraction(THURSDAY, 3.0)])
    twice = toxicity_proxies([RadiotherapyFraction(THURSDAY + timedelta(hours=h), 1.5) for h in (0, 6)])
    assert (once.visits, twice.visits) == (1, 1)
    assert twice.bed3_gy < once.bed3_gy == pytest.approx(6.0)
