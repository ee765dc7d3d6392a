"""The regimen library: doses and days of every regimen, and the rules that place them in a calendar."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.patient.treatment_csv import read_treatment_csv, write_treatment_csv
from TumorTwinLib.treatment.dosing import Body
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, in_order
from TumorTwinLib.treatment.regimens import REGIMENS, regimens_for
from TumorTwinLib.treatment.toxicity import toxicity_proxies

MONDAY = datetime(2024, 3, 4, 8, 30)

# Fractions, total Gy, cumulative doses and days from first to last treatment of a course that begins on a Monday.
# Days: 30 fractions end on day 39 after the first (6 weeks less a weekend), 39 on day 52.
STUPP = {"temozolomide": 75 * 40 + 5 * (150 + 5 * 200)}
EXPECTED = {
    "gbm_rt_60_30": (30, 60, {}, 39),
    "gbm_stupp": (30, 60, STUPP, 39 + 28 + 5 * 28 + 4),
    "gbm_stupp_12": (30, 60, {"temozolomide": STUPP["temozolomide"] + 6 * 5 * 200}, 39 + 28 + 11 * 28 + 4),
    "gbm_elderly_40_15": (15, 40, {}, 18),
    "gbm_elderly_40_15_tmz": (15, 40, {"temozolomide": 75 * 19 + 5 * (150 + 11 * 200)}, 18 + 28 + 11 * 28 + 4),
    "gbm_sib_50_15": (15, 40, {}, 18),
    "gbm_boost_75_30": (30, 60, STUPP, 39 + 28 + 5 * 28 + 4),
    "gbm_resection_stupp": (30, 60, STUPP, 28 + 39 + 28 + 5 * 28 + 4),
    "gbm_biopsy_stupp": (30, 60, STUPP, 39 + 28 + 5 * 28 + 4),
    "tnbc_ac_q2w_t_weekly": (0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 960}, 56 + 77),
    "tnbc_ac_q3w_t_weekly": (0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 960}, 84 + 77),
    "tnbc_ac_q2w_t_q2w": (0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 700}, 56 + 42),
    "tnbc_ac_q3w_t_q3w": (0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 700}, 84 + 63),
    "tnbc_ac_q2w_t_carboplatin": (
        0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 960, "carboplatin": 4 * 5 * 125}, 56 + 77
    ),
    "tnbc_ac_q2w_t_carboplatin_weekly": (
        0, 0, {"doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 960, "carboplatin": 12 * 1.5 * 125}, 56 + 77
    ),
    "tnbc_keynote_522": (
        0, 0,
        {
            "doxorubicin": 240, "cyclophosphamide": 2400, "paclitaxel": 960, "carboplatin": 4 * 5 * 125,
            "pembrolizumab": 1600,
        },
        84 + 63,
    ),
    "nsclc_sbrt_54_3": (3, 54, {}, 4),
    "nsclc_sbrt_50_5": (5, 50, {}, 9),  # Mon, Wed, Fri, Mon, Wed
    "nsclc_sbrt_60_8": (8, 60, {}, 9),
    "nsclc_rt_60_30": (30, 60, {}, 39),
    "nsclc_crt_carboplatin_paclitaxel": (30, 60, {"carboplatin": 6 * 2 * 125, "paclitaxel": 270}, 39),
    "nsclc_crt_cisplatin_etoposide": (30, 60, {"cisplatin": 200, "etoposide": 500}, 39),
    "nsclc_concurrent_9410": (30, 60, {"cisplatin": 200, "vinblastine": 25}, 39),
    "nsclc_sequential_9410": (30, 60, {"cisplatin": 200, "vinblastine": 25}, 49 + 39),
    "nsclc_crt_durvalumab": (
        30, 60, {"carboplatin": 6 * 2 * 125, "paclitaxel": 270, "durvalumab": 26 * 700}, 39 + 14 + 25 * 14
    ),
    "nsclc_surgery": (0, 0, {}, 0),
    "prostate_surveillance": (0, 0, {}, 0),
    "prostate_ebrt_78_39": (39, 78, {}, 52),
    "prostate_ebrt_74_37": (37, 74, {}, 50),
    "prostate_ebrt_60_20": (20, 60, {}, 25),
    "prostate_ebrt_72_30": (30, 72, {}, 39),
    "prostate_sbrt_36_5": (5, 36.25, {}, 9),
    "prostate_sbrt_40_5": (5, 40, {}, 9),
    "prostate_ebrt_78_39_adt_6": (39, 78, {"leuprolide": 45}, 56 + 52),
    "prostate_ebrt_78_39_adt_18": (39, 78, {"leuprolide": 135}, 5 * 91),
    "prostate_ebrt_78_39_adt_36": (39, 78, {"leuprolide": 270}, 11 * 91),
    "prostate_ebrt_60_20_adt_6": (20, 60, {"leuprolide": 45}, 91),
    "prostate_adt": (0, 0, {"leuprolide": 270}, 11 * 91),
    "prostate_adt_intermittent": (0, 0, {"leuprolide": 135}, 546 + 182),
    "pancreas_gemcitabine": (0, 0, {"gemcitabine": 18000}, 5 * 28 + 14),
    "pancreas_gemcitabine_nab_paclitaxel": (0, 0, {"gemcitabine": 18000, "nab-paclitaxel": 2250}, 5 * 28 + 14),
    "pancreas_folfirinox": (
        0, 0, {"oxaliplatin": 1020, "irinotecan": 2160, "leucovorin": 4800, "fluorouracil": 12 * 2800}, 11 * 14
    ),
    "pancreas_mfolfirinox": (
        0, 0, {"oxaliplatin": 1020, "irinotecan": 1800, "leucovorin": 4800, "fluorouracil": 12 * 2400}, 11 * 14
    ),
    "pancreas_sbrt_33_5": (5, 33, {}, 4),
    "pancreas_sbrt_40_5": (5, 40, {}, 4),
    "pancreas_surgery_mfolfirinox": (
        0, 0, {"oxaliplatin": 1020, "irinotecan": 1800, "leucovorin": 4800, "fluorouracil": 12 * 2400}, 42 + 11 * 14
    ),
    "pancreas_neoadjuvant_mfolfirinox": (
        0, 0, {"oxaliplatin": 680, "irinotecan": 1200, "leucovorin": 3200, "fluorouracil": 8 * 2400}, 7 * 14 + 35
    ),
    "pancreas_neoadjuvant_mfolfirinox_sbrt": (
        5, 33, {"oxaliplatin": 595, "irinotecan": 1050, "leucovorin": 2800, "fluorouracil": 7 * 2400},
        6 * 14 + 21 + 4 + 35,
    ),
    "pancreas_stroma_depleting": (
        0, 0, {"gemcitabine": 18000, "nab-paclitaxel": 2250, "pegvorhyaluronidase alfa": 0.003 * 70 * 21}, 5 * 28 + 14
    ),
    "pancreas_immune": (0, 0, {"gemcitabine": 18000, "nab-paclitaxel": 2250, "pembrolizumab": 1600}, 5 * 28 + 14),
}  # fmt: skip


def days(events, kind=object, drug=None) -> list[date]:
    return [e.time.date() for e in events if isinstance(e, kind) and (drug is None or getattr(e, "drug", "") == drug)]


def test_every_regimen_has_its_line_here():
    assert set(EXPECTED) == set(REGIMENS)
    assert {r.cancer for r in REGIMENS.values()} == {"glioblastoma", "tnbc", "nsclc", "prostate", "pancreas"}
    assert sum(len(regimens_for(cancer)) for cancer in {r.cancer for r in REGIMENS.values()}) == len(REGIMENS)


@pytest.mark.parametrize("name", EXPECTED)
def test_doses_and_length(name):
    fractions, total_gy, cumulative, last_day = EXPECTED[name]
    regimen = REGIMENS[name]
    events = regimen.events(MONDAY)
    doses = [event.dose_gy for event in events if isinstance(event, RadiotherapyFraction)]
    assert (len(doses), sum(doses)) == (fractions, pytest.approx(total_gy))
    burden = toxicity_proxies(events)
    assert burden.cumulative_dose == pytest.approx(cumulative)
    assert burden.bed3_gy == pytest.approx(sum(d * (1 + d / 3) for d in doses))
    if events:
        assert (events[-1].time.date() - events[0].time.date()).days == last_day
    assert regimen.title
    assert regimen.description.endswith(".")
    assert regimen.source


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("start", [MONDAY + timedelta(days=n) for n in (0, 3, 5)] + [datetime(2024, 12, 16, 15, 45)])
def test_clinics_are_closed_on_weekends_and_holidays(name, start):
    off = {date(2024, 3, 29), date(2024, 4, 1)}  # Good Friday and Easter Monday
    events = REGIMENS[name].events(start, days_off=off)
    for event in events:
        day = event.time.date()
        if not (isinstance(event, DrugDose) and event.drug == "temozolomide"):
            assert day.weekday() < 5
            assert (day.month, day.day) not in ((1, 1), (12, 25))
            assert day not in off
    assert events == in_order(events)
    assert len(events) == len(REGIMENS[name].events(MONDAY)) or name.startswith("gbm")  # nothing is lost, only moved
    assert {event.time.minute for event in events} <= {start.minute, (start.minute + 30) % 60}


def test_the_stupp_protocol_day_by_day():
    events = REGIMENS["gbm_stupp"].events(MONDAY)
    tmz = days(events, DrugDose)
    assert tmz[:40] == [MONDAY.date() + timedelta(days=n) for n in range(40)]  # weekends too
    last_fraction = days(events, RadiotherapyFraction)[-1]
    assert last_fraction == date(2024, 4, 12)
    first_cycle = [last_fraction + timedelta(days=28 + n) for n in range(5)]
    assert tmz[40:45] == first_cycle
    assert tmz[45] == first_cycle[0] + timedelta(days=28)
    assert [event.amount for event in events if isinstance(event, DrugDose)] == [75.0] * 40 + [150.0] * 5 + [200.0] * 25
    first_day = [event for event in events if event.time.date() == MONDAY.date()]
    assert [type(event) for event in first_day] == [DrugDose, RadiotherapyFraction]  # the drug an hour before
    assert first_day[1].time - first_day[0].time == timedelta(hours=1)


def test_a_missed_week_of_radiotherapy_is_made_up_for():
    pause = [MONDAY.date() + timedelta(days=7 + n) for n in range(5)]
    events = REGIMENS["gbm_stupp"].events(MONDAY, days_off=pause)
    fractions = days(events, RadiotherapyFraction)
    assert len(fractions) == 30
    assert fractions[-1] == date(2024, 4, 19)
    assert len([d for d in days(events, DrugDose) if d <= fractions[-1]]) == 47  # the drug went on


def test_a_cycle_moves_to_the_next_working_day_and_its_days_stay_apart():
    events = REGIMENS["nsclc_crt_cisplatin_etoposide"].events(datetime(2024, 3, 7, 8))  # a Thursday
    etoposide = days(events, DrugDose, "etoposide")
    assert [d.weekday() for d in etoposide[:5]] == [3, 4, 0, 1, 2]
    assert len(set(etoposide)) == 10


def test_doses_by_area_become_milligrams_of_a_body():
    by_area = REGIMENS["gbm_stupp"].events(MONDAY)
    in_mg = REGIMENS["gbm_stupp"].events(MONDAY, body_surface_area_m2=1.8)
    assert {event.unit for event in by_area if isinstance(event, DrugDose)} == {"mg/m2"}
    doses = [event for event in in_mg if isinstance(event, DrugDose)]
    assert (doses[0].amount, doses[0].unit) == (135.0, "mg")
    assert toxicity_proxies(in_mg, 1.8).cumulative_dose == pytest.approx(toxicity_proxies(by_area).cumulative_dose)


def test_weight_and_kidneys():
    body = Body(weight_kg=80.0, glomerular_filtration_ml_per_min=75.0)
    events = REGIMENS["nsclc_crt_durvalumab"].events(MONDAY, body=body)
    amounts = {event.drug: (event.amount, event.unit) for event in events if isinstance(event, DrugDose)}
    assert amounts["durvalumab"] == (800.0, "mg")
    assert amounts["carboplatin"] == (200.0, "mg")
    assert amounts["paclitaxel"] == (45.0, "mg/m2")


def test_folfirinox_in_its_order():
    day = [e for e in REGIMENS["pancreas_folfirinox"].events(MONDAY) if e.time.date() == MONDAY.date()]
    assert [(e.drug, e.infusion_hours) for e in day] == [
        ("oxaliplatin", 0), ("leucovorin", 0), ("irinotecan", 0), ("fluorouracil", 0), ("fluorouracil", 46)
    ]  # fmt: skip


def test_targets_make_dose_volumes():
    grid = Grid.from_spacing((20, 20, 20), (2.0, 2.0, 2.0))
    masks = {}
    for name, half in (("ptv", 6), ("boost", 2)):
        array = np.zeros(grid.shape, bool)
        array[10 - half : 10 + half, 10 - half : 10 + half, 10 - half : 10 + half] = True
        masks[name] = Image(array, grid, name)
    fractions = REGIMENS["gbm_boost_75_30"].events(MONDAY, targets=masks)
    maps = {id(e.dose_map): e.dose_map for e in fractions if isinstance(e, RadiotherapyFraction)}
    assert len(maps) == 1  # one volume, shared
    dose = next(iter(maps.values())).resample(grid, order=0).array
    np.testing.assert_allclose(dose[masks["boost"].array], 2.5, rtol=1e-5)
    assert dose[masks["ptv"].array].min() == pytest.approx(2.0, rel=1e-5)
    assert dose[0, 0, 0] < 0.6
    operation = REGIMENS["gbm_resection_stupp"].events(MONDAY, targets={"cavity": masks["boost"]})[0]
    assert operation == Surgery(MONDAY, masks["boost"], 0.0)


def test_intermittent_hormones_follow_psa():
    rule = REGIMENS["prostate_adt_intermittent"].rule
    assert rule.biomarker == "PSA"
    assert rule.treats(20.0, treating=True)
    assert not rule.treats(3.9, treating=True)
    assert not rule.treats(9.9, treating=False)
    assert rule.treats(10.1, treating=False)


def test_same_minute_order():
    """Resection, then radiotherapy, then drugs, however they were listed."""
    tmz, fraction, operation = (
        DrugDose(MONDAY, "temozolomide", 75.0, "mg/m2"),
        RadiotherapyFraction(MONDAY, 2.0),
        Surgery(MONDAY),
    )
    before = RadiotherapyFraction(MONDAY - timedelta(minutes=1), 2.0)
    assert in_order([tmz, fraction, operation, before]) == (before, operation, fraction, tmz)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_regimen_goes_through_a_treatment_file(name, tmp_path):
    events = REGIMENS[name].events(MONDAY)
    write_treatment_csv(events, tmp_path / "treatment.csv")
    assert read_treatment_csv(tmp_path / "treatment.csv") == events


def test_what_if_regimens_are_marked():
    assert {name for name, regimen in REGIMENS.items() if regimen.exploratory} == {
        "pancreas_stroma_depleting", "pancreas_immune"
    }  # fmt: skip
    for regimen in REGIMENS.values():
        assert regimen.exploratory == regimen.title.startswith("What-if")


def test_biological_doses_of_published_schedules():
    """SCIENCE 5.1, test 8, from the library's own events."""
    for name, ratio, bed, eqd2 in (
        ("nsclc_sbrt_54_3", 10.0, 151.2, 126.0),
        ("prostate_ebrt_78_39", 1.5, 182.0, 78.0),
        ("prostate_ebrt_60_20", 1.5, 180.0, 77.142857142857),
        ("gbm_rt_60_30", 10.0, 72.0, 60.0),
    ):
        doses = [event.dose_gy for event in REGIMENS[name].events(MONDAY)]
        found = math.fsum(d * (1 + d / ratio) for d in doses)
        assert found == pytest.approx(bed, rel=1e-6)
        assert found / (1 + 2 / ratio) == pytest.approx(eqd2, rel=1e-6)
