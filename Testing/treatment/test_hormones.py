"""Androgen deprivation: stretches of suppression, the level between them, and growth."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from scipy.integrate import quad

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.events import DrugDose, days_between
from TumorTwinLib.treatment.hormones import AndrogenLevel, suppressed_intervals
from TumorTwinLib.treatment.regimens import REGIMENS

START = datetime(2024, 3, 4, 8)


def doses_of(name: str) -> list[tuple[float, DrugDose]]:
    return [(days_between(START, e.time), e) for e in REGIMENS[name].events(START) if isinstance(e, DrugDose)]


def test_depots_that_meet_are_one_stretch():
    assert suppressed_intervals(doses_of("prostate_adt")) == ((0.0, 12 * 91.0),)
    intermittent = suppressed_intervals(doses_of("prostate_adt_intermittent"))
    assert intermittent == ((0.0, 273.0), (546.0, 546.0 + 273.0))


def test_other_drugs_do_not_suppress_and_units_are_checked():
    assert suppressed_intervals(doses_of("gbm_stupp")) == ()
    with pytest.raises(TumorTwinError, match="leuprolide of 2024-03-04 is in mg/m2: give the depot in mg"):
        suppressed_intervals([(0.0, DrugDose(START, "leuprolide", 22.5, "mg/m2"))])


def test_the_level_falls_and_recovers():
    level = AndrogenLevel(((10.0, 101.0),))
    assert level.level(-5.0) == level.level(10.0) == 1.0
    assert level.level(14.0) == pytest.approx(0.1 + 0.9 / 2, rel=1e-12)
    assert level.level(31.0) < 0.13  # castrate within three weeks
    low = level.level(101.0)
    assert level.level(161.0) == pytest.approx(1 - (1 - low) / 2, rel=1e-12)
    assert AndrogenLevel().level(3.0) == 1.0


@pytest.mark.parametrize(("start", "end"), [(0.0, 5.0), (0.0, 400.0), (50.0, 60.0), (95.0, 320.0), (-10.0, 10.0)])
def test_exposure_is_the_integral_of_the_level(start, end):
    level = AndrogenLevel(((10.0, 101.0), (300.0, 391.0)))
    edges = [start, *(d for d in (10.0, 101.0, 300.0, 391.0) if start < d < end), end]
    pairs = zip(edges[:-1], edges[1:], strict=True)
    numerical = sum(quad(level.level, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairs)
    assert level.exposure(start, end) == pytest.approx(numerical, rel=1e-9)
    pieces = level.exposure(start, start + 1.7) + level.exposure(start + 1.7, end)
    assert pieces == pytest.approx(level.exposure(start, end), rel=1e-12)


def test_growth_without_androgen_is_what_is_left():
    level = AndrogenLevel(((0.0, 1e6),), castrate_level=0.0)
    assert level.mean_growth_factor(1e5, 1e5 + 10, 0.2) == pytest.approx(0.2, rel=1e-9)
    assert AndrogenLevel().mean_growth_factor(0.0, 50.0, 0.2) == pytest.approx(1.0, rel=1e-12)
    half = level.mean_growth_factor(0.0, 4.0, 0.2)  # one half-life: mean level 1 / (2 ln 2)
    assert half == pytest.approx(0.2 + 0.8 / (2 * math.log(2)), rel=1e-9)
