"""Regimens compared on one posterior: orderings that are known, ties that must stay ties, and the way to files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.recommend import regimens as given
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.inference.calibration import MapCalibration
from TumorTwinLib.physics.trackers import CancelTracker
from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.comparison import Comparison, compare_regimens
from TumorTwinLib.recommend.futures import common_draws, run_plans
from TumorTwinLib.recommend.plans import UNTREATED, differing, effects, recorded_plan, standard_targets
from TumorTwinLib.recommend.progression import RULES
from TumorTwinLib.recommend.verdict import all_pairs, expected_regrets_days, pair_of, pareto_front, probabilities_best
from TumorTwinLib.treatment.regimens import REGIMENS

DRAWS = 16
ADJUVANT = [dose for cycle in range(4) for dose in given.doses(5, 200.0, first=71 + 28 * cycle)]
PLANS = (
    given.plan("rt", given.fractions(30)),
    given.plan("rt again", given.fractions(30)),
    given.plan("stupp", given.fractions(30), given.doses(42), ADJUVANT),
    given.plan("concurrent", given.fractions(30), given.doses(42)),
    given.plan("sequential", given.fractions(30), given.doses(42, first=44)),
    given.plan("dense", given.doses(6, 600.0, every=14)),
    given.plan("three-weekly", given.doses(6, 600.0, every=21)),
    given.plan("half", given.fractions(15)),
)


@pytest.fixture(scope="module")
def posterior():
    return given.posterior()


@pytest.fixture(scope="module")
def compared(posterior) -> Comparison:
    return compare_regimens(posterior, PLANS, 180, draws=DRAWS, region="whole_tumor", every_days=6)


def mean(compared: Comparison, name: str, measure: str) -> float:
    return compared[name].estimate(measure).mean


def test_every_course_beats_none_and_more_beats_less(compared):
    time = "time_to_progression_days"
    order = [mean(compared, name, time) for name in ("untreated", "half", "rt", "stupp")]
    assert order == sorted(order)
    assert order[-1] > order[-2] + 10 > order[0] + 20
    assert compared.pair("stupp", "rt").probability_first == 1.0
    gained = [mean(compared, name, "days_gained") for name in ("half", "rt", "stupp")]
    assert gained == sorted(gained)
    assert mean(compared, "untreated", "days_gained") == 0.0
    assert mean(compared, "untreated", "log10_kill") == 0.0


def test_concurrent_kills_more_at_once_than_sequential_and_is_no_later_to_progress_by_a_week(compared):
    assert mean(compared, "concurrent", "log10_kill") > mean(compared, "sequential", "log10_kill") + 0.05
    assert mean(compared, "concurrent", "nadir_mm3") <= mean(compared, "sequential", "nadir_mm3")
    assert not compared.pair("concurrent", "sequential").distinguishable
    assert abs(compared.pair("concurrent", "sequential").difference.mean) < 7.0


def test_dose_dense_kills_more_at_once_than_the_same_doses_spread(compared):
    assert mean(compared, "dense", "log10_kill") > mean(compared, "three-weekly", "log10_kill")


def test_an_exact_tie_stays_a_tie(compared):
    pair = compared.pair("rt", "rt again")
    assert (pair.difference.lower, pair.difference.mean, pair.difference.upper) == (0.0, 0.0, 0.0)
    assert pair.probability_first == 0.5
    assert not pair.distinguishable
    for measure, values in compared["rt"].draws.items():
        assert np.array_equal(values, compared["rt again"].draws[measure])


def test_a_tie_at_the_top_is_not_ranked(posterior):
    tie = compare_regimens(posterior, PLANS[:2], 90, draws=DRAWS, region="whole_tumor", every_days=6)
    assert tie.verdict.abstains
    assert tie.verdict.not_told_apart == ("rt again",) if tie.verdict.leading == "rt" else ("rt",)
    assert "not distinguishable with these data" in str(tie.verdict)
    assert tie.probability_best == {"rt": 0.5, "rt again": 0.5}
    assert tie.regret_days == {"rt": 0.0, "rt again": 0.0}


def test_paired_differences_add_up(compared):
    times = {o.name: o.draws["time_to_progression_days"] for o in compared.outcomes}
    pair = compared.pair("stupp", "half")
    assert pair.difference.mean == pytest.approx((times["stupp"] - times["half"]).mean())
    turned = compared.pair("half", "stupp")
    assert turned.difference.upper == -pair.difference.lower
    assert turned.probability_first + pair.probability_first == 1.0
    legs = compared.pair("stupp", "rt").difference.mean + compared.pair("rt", "half").difference.mean
    assert legs == pytest.approx(pair.difference.mean)
    assert sum(compared.probability_best.values()) == pytest.approx(1.0)
    best = np.max(list(times.values()), axis=0).mean()
    for name, regret in compared.regret_days.items():
        assert regret == pytest.approx(best - times[name].mean())


def test_what_no_scan_has_seen_cannot_rank(compared):
    assert compared["stupp"].prior_only == ("tmz_sensitivity_per_day",)
    assert compared["rt"].prior_only == ()
    pair = compared.pair("stupp", "rt")
    assert pair.differs
    assert pair.unknown == ("tmz_sensitivity_per_day",)
    assert not pair.distinguishable
    assert compared.verdict.abstains
    assert any("rests on the prior of" in reason for reason in compared.verdict.reasons)
    assert any("the data say nothing of tmz_sensitivity_per_day" in note for note in compared.notes)
    assert compared.pair("rt", "half").distinguishable  # radiotherapy has been seen


def test_a_clear_winner_is_recommended_and_exploratory_ones_never(posterior):
    more, less = PLANS[0], PLANS[-1]
    clear = compare_regimens(posterior, [less, more], 120, draws=DRAWS, region="whole_tumor", every_days=6)
    assert clear.verdict.recommended == "rt"
    assert clear.probability_best["rt"] == 1.0
    assert DISCLAIMER in str(clear.verdict)
    assert clear.notes[0] == DISCLAIMER
    wild = compare_regimens(
        posterior, [less, replace(more, exploratory=True)], 120, draws=DRAWS, region="whole_tumor", every_days=6
    )
    assert wild.verdict.abstains
    assert any("exploratory" in reason for reason in wild.verdict.reasons)


def test_the_pareto_front_weighs_effect_against_burden(compared):
    front = set(compared.pareto)
    assert {"stupp", "half"} <= front
    assert pareto_front([compared["rt"], compared["half"], compared["untreated"]]) == ("rt", "half", "untreated")
    worse = replace(compared["rt"], name="worse", draws=compared["half"].draws)
    assert pareto_front([compared["rt"], worse, compared["half"]]) == ("rt", "half")
    assert compared["rt"].toxicity.bed3_gy == pytest.approx(100.0)


def test_a_comparison_survives_its_file(compared):
    text = json.dumps(compared.to_dict(), allow_nan=False)
    loaded = Comparison.from_dict(json.loads(text))
    assert json.dumps(loaded.to_dict()) == text
    assert str(loaded) == str(compared)
    assert loaded.rows()[2] == compared.rows()[2]
    assert loaded.pair("rt", "half").distinguishable


def test_the_table_has_units_and_every_regimen(compared):
    rows = compared.rows()
    assert [row["regimen"] for row in rows] == [*(p.title for p in PLANS), "No further treatment"]
    assert {"time_to_progression_days_lower", "nadir_mm3", "log10_kill", "bed3_gy", "expected_regret_days"} <= set(
        rows[0]
    )
    assert rows[2]["cumulative_dose"] == "temozolomide 7150 mg/m2"
    assert DISCLAIMER in str(compared)


def test_what_regimens_share_is_solved_once_and_equals_one_run(posterior):
    """From the first visit to the horizon in one run, against the prefix and the rest."""
    settings = replace(posterior.simulator.settings, tolerance=1e-6, dtype="float64")
    draws = common_draws(posterior, 4, 60.0, 10.0, seed=1)
    split = run_plans(
        posterior.simulator, draws, given.DECISION, [PLANS[3], UNTREATED], RULES["volume"], "core", settings=settings
    )[0]
    whole = np.zeros_like(split.living_cells)
    patient = replace(posterior.patient, treatments=(*posterior.patient.treatments, *PLANS[3].events))
    simulator = replace(posterior.simulator, patient=patient, settings=settings)
    model = simulator.model
    capacity = model.grid.voxel_volume_mm3 * model.carrying_capacity_per_mm3

    def see(day, e, u, _du):
        whole[e, draws.days.tolist().index(day)] = u.sum() * capacity

    simulator.solve(draws.z, draws.days.tolist(), see, later_growth=(draws.growth_days, draws.growth))
    assert split.living_cells == pytest.approx(whole, rel=1e-5)


def test_draws_are_the_same_whoever_is_compared_and_on_any_threads(posterior, compared):
    alone = compare_regimens(
        replace(posterior, simulator=replace(posterior.simulator, threads=2)),
        [PLANS[3]], 180, draws=DRAWS, region="whole_tumor", every_days=6,
    )  # fmt: skip
    for measure, values in alone["concurrent"].draws.items():
        assert np.array_equal(values, compared["concurrent"].draws[measure]), measure


def test_diameters_and_volumes_agree_on_when(posterior):
    times = {}
    for rule in ("RANO", "RECIST", "volume"):
        one = compare_regimens(posterior, [PLANS[-1]], 96, draws=DRAWS, region="whole_tumor", every_days=12, rule=rule)
        times[rule] = one["half"].estimate("time_to_progression_days").median
    assert times["RANO"] == pytest.approx(times["volume"], abs=15)
    assert times["RECIST"] > times["RANO"]


def test_populations_are_run_from_the_first_visit(posterior):
    model = replace(posterior.model, resistant_cells=True, visible_dead=True)
    unknowns = replace(posterior.simulator.unknowns, declared=model.parameters, fixed={})
    both = replace(posterior, simulator=replace(posterior.simulator, model=model, unknowns=unknowns))
    with_dead = compare_regimens(both, [PLANS[-1]], 60, draws=DRAWS, region="whole_tumor", every_days=12)
    without = compare_regimens(posterior, [PLANS[-1]], 60, draws=DRAWS, region="whole_tumor", every_days=12)
    assert mean(with_dead, "half", "nadir_mm3") > mean(without, "half", "nadir_mm3")  # the dead still show
    assert mean(with_dead, "half", "log10_kill") == pytest.approx(mean(without, "half", "log10_kill"), abs=0.1)


def test_the_twin_compares_forecasts_and_explains(posterior):
    twin = tt.DigitalTwin(model=posterior.model, parameters=posterior.map_estimate)
    alone = twin.what_if(REGIMENS["gbm_elderly_40_15"], 40, draws=DRAWS, every_days=8)
    assert [o.name for o in alone.outcomes] == ["gbm_elderly_40_15"]
    assert alone.verdict.abstains
    forecast = twin.under(REGIMENS["gbm_elderly_40_15"]).predict(40)
    plain = twin.under(UNTREATED).predict(40)
    assert forecast.total_cell_count[-1] < 0.5 * plain.total_cell_count[-1]
    only_map = tt.DigitalTwin(
        model=posterior.model, parameters=MapCalibration(posterior.model, posterior.patient).run().map_estimate
    )
    with pytest.raises(TumorTwinError, match="calibrate with BayesianCalibration"):
        only_map.compare([PLANS[0]])


def test_plans_know_their_targets_and_effects(posterior):
    patient, model = posterior.patient, posterior.model
    assert set(effects(model, patient, PLANS[2])) == {"radiosensitivity_per_gy", "tmz_sensitivity_per_day"}
    later = given.plan(
        "hours later", [replace(e, time=given.after(0, 12) + (e.time - given.after(0))) for e in PLANS[0].events]
    )
    one, two = effects(model, patient, PLANS[0]), effects(model, patient, later)
    assert differing(one, two) == ()
    assert differing(one, effects(model, patient, PLANS[2])) == ("tmz_sensitivity_per_day",)
    targets = standard_targets(patient, margin_mm=6.0)
    assert targets["ptv"].array.sum() > targets["boost"].array.sum() > 0
    boosted = compare_regimens(
        posterior, [REGIMENS["gbm_sib_50_15"], REGIMENS["gbm_elderly_40_15"]], 40, targets=targets,
        draws=DRAWS, every_days=8,
    )  # fmt: skip
    assert mean(boosted, "gbm_sib_50_15", "log10_kill") > mean(boosted, "gbm_elderly_40_15", "log10_kill")
    with pytest.raises(TumorTwinError, match="needs the mask of the boost"):
        compare_regimens(posterior, [REGIMENS["gbm_sib_50_15"]], 40)


def test_a_resection_takes_the_cavity(posterior):
    targets = {"cavity": posterior.patient.visits[-1].whole_tumor}
    names = ("gbm_resection_stupp", "gbm_biopsy_stupp")
    both = compare_regimens(
        posterior, [REGIMENS[n] for n in names], 20, targets=targets, draws=DRAWS, every_days=5, region="whole_tumor"
    )
    assert mean(both, names[0], "nadir_mm3") < 0.5 * mean(both, names[1], "nadir_mm3")
    assert both[names[0]].toxicity.surgeries == 1


def test_the_record_can_be_one_of_the_regimens(posterior):
    decision = posterior.patient.visits[1].time
    recorded = recorded_plan(posterior.patient, decision)
    assert 0 < len(recorded.events) < len(posterior.patient.treatments)
    assert all(event.time >= decision for event in recorded.events)
    with pytest.raises(TumorTwinError, match="before the decision"):
        compare_regimens(posterior, [recorded], 40)
    later = recorded_plan(posterior.patient, given.DECISION)
    assert later.events == ()


def test_nonsense_is_refused(posterior):
    for regimens, settings, words in (
        ([], {}, "at least one"),
        ([PLANS[0], PLANS[0]], {}, "is there twice"),
        ([UNTREATED], {}, "is there twice"),
        ([PLANS[0]], {"horizon_days": -3}, "horizon above zero"),
        ([PLANS[0]], {"draws": 4}, "at least 16"),
        ([PLANS[0]], {"rule": "PSA"}, "has no PSA"),
        ([PLANS[0]], {"region": "necrosis"}, "has no region"),
    ):
        with pytest.raises(TumorTwinError, match=words):
            compare_regimens(posterior, regimens, **settings)


def test_it_can_be_watched_and_stopped(posterior):
    told = []
    compare_regimens(posterior, [PLANS[-1]], 12, draws=DRAWS, on_progress=lambda *now: told.append(now))
    assert told[-1] == (2 * DRAWS, 2 * DRAWS)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    with pytest.raises(CancelledError):
        compare_regimens(posterior, [PLANS[0]], 60, draws=DRAWS, trackers=[CancelTracker(lambda: True)])


def test_verdicts_of_made_up_draws(compared):
    times = np.linspace(50.0, 150.0, 64)

    def outcome(name: str, shift):
        return replace(
            compared["rt"],
            name=name,
            title=name,
            draws={**compared["rt"].draws, "time_to_progression_days": times + shift},
        )

    a, b, c = outcome("a", 20.0), outcome("b", 0.0), outcome("c", np.where(np.arange(64) < 8, 60.0, -60.0))
    assert probabilities_best([a, b, c]) == {"a": 0.875, "b": 0.0, "c": 0.125}
    assert expected_regrets_days([a, b])["b"] == pytest.approx(20.0)
    informed = {"x": True, "y": False}
    assert pair_of(a, b, ("x",), informed).distinguishable
    assert not pair_of(a, b, ("x", "y"), informed).distinguishable
    assert not pair_of(a, c, ("x",), informed).differs
    assert not pair_of(outcome("d", 3.0), b, ("x",), informed).differs  # sure, but less than a week
    assert len(all_pairs([a, b, c])) == 3


def test_a_stopped_comparison_keeps_its_draws_marked_and_continues(posterior):
    memory = {}

    def compare(plans, enough=10**9):
        watch = CancelTracker(lambda: len(memory) >= enough)
        return compare_regimens(posterior, plans, 40, draws=64, trackers=[watch], memory=memory)

    stopped = compare([PLANS[0]], enough=4)  # two of three passes, each of a regimen and the untreated
    assert stopped.cancelled
    solved = stopped.provenance["draws"]
    assert 16 <= solved < 64
    assert stopped.notes[-1] == f"Stopped on request after {solved} of 64 draws."
    assert stopped.verdict.abstains
    assert Comparison.from_dict(stopped.to_dict()).cancelled
    before = dict(memory)
    whole = compare([PLANS[0]])
    assert not whole.cancelled
    assert all(memory[key] is value for key, value in before.items())
    fresh = compare_regimens(posterior, [PLANS[0]], 40, draws=64)
    assert {**whole.to_dict(), "provenance": 0} == {**fresh.to_dict(), "provenance": 0}
    known = len(memory)
    compare([PLANS[0], PLANS[1], PLANS[7]])
    assert len(memory) == known + 3  # the passes of one regimen that is new; another gives what the first does
