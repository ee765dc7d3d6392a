"""Jobs with uncertainty: stages, what is stored, cancel with the best so far, and resume to the same bits."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from Testing.jobs.test_resume import HANG_S, kill_when, times, untimed
from Testing.jobs.test_stages import Watcher
from Testing.jobs.test_stores import assert_same
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.inference.conformal import ConformalFactors
from TumorTwinLib.inference.posterior_files import load_posterior
from TumorTwinLib.jobs import bayesian
from TumorTwinLib.jobs.conversation import Listener, State
from TumorTwinLib.jobs.job_folder import write_job
from TumorTwinLib.jobs.protocol import CALIBRATE, FORECAST, PREDICT, READ, SAMPLE, Ending
from TumorTwinLib.jobs.result_store import JobResult, read_result
from TumorTwinLib.jobs.runner import run_job_folder, start_job
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.jobs.stages import compute
from TumorTwinLib.models.registry import find_cancer
from TumorTwinLib.uncertainty import STEPS

SPEC = JobSpec(
    horizon_days=30.0, frame_every_days=15.0, resolution_mm=4.0, bayesian=True, n_samples=160, n_futures=32
)  # fmt: skip
RUNS = "checkpoint/*/*.npy"


@pytest.fixture
def folder(tmp_path, patient) -> Path:
    write_job(tmp_path / "job", SPEC, patient)
    return tmp_path / "job"


@pytest.fixture(scope="module")
def told() -> list:
    return []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, patient, told) -> tuple[Path, JobResult]:
    """The job when nothing happens to it, and where."""
    folder = tmp_path_factory.mktemp("undisturbed") / "job"
    write_job(folder, SPEC, patient)
    return folder, run_job_folder(folder, Listener(on_progress=told.append))


def test_every_stage_is_told_to_its_end(undisturbed, told):
    assert list(dict.fromkeys(progress.stage for progress in told)) == [READ, CALIBRATE, SAMPLE, FORECAST, PREDICT]
    for stage in (SAMPLE, PREDICT):
        last = [progress for progress in told if progress.stage == stage][-1]
        assert last.done == last.total, stage
    done = [progress.done for progress in told if progress.stage == PREDICT]
    assert done == sorted(done)


def test_what_is_found_of_the_parameters(undisturbed, patient):
    folder, result = undisturbed
    posterior = result.posterior
    assert posterior.method in ("importance sampling", "tempered SMC")
    assert not posterior.cancelled
    names = [row.name for row in posterior.rows]
    assert names == list(result.fit.names) == list(posterior.draws)
    for row in posterior.rows:
        assert row.lower < row.median < row.upper
        inside = (posterior.draws[row.name] >= row.lower) & (posterior.draws[row.name] <= row.upper)
        assert inside.mean() == pytest.approx(0.95, abs=0.04)
        assert row.unit
    assert all(np.isfinite(result.fit.values[name]) for name in names)
    model = find_cancer(SPEC.cancer).model_class().from_patient(patient, resolution_mm=SPEC.resolution_mm)
    loaded = load_posterior(folder / "posterior", model, patient).summary()
    assert_same(loaded.rows, posterior.rows)  # the whole of it is there for others to build on


def test_intervals_and_maps_belong_to_the_forecast(undisturbed):
    _, result = undisturbed
    forecast = result.forecast
    found = forecast.uncertainty
    assert forecast.posterior is result.posterior
    assert found.futures == 32
    assert set(forecast.days) <= set(found.days)
    places = np.searchsorted(found.days, forecast.days)
    for region, bands in found.volume_mm3.items():
        assert [band.name for band in bands] == ["90 % interval, raw", "95 % interval, raw"]
        narrow, wide = bands
        for band in bands:
            assert (band.lower < band.median).all()
            assert (band.median < band.upper).all()
        assert (wide.upper - wide.lower >= narrow.upper - narrow.lower).all()
        expected = forecast.volume_mm3[region]
        # Futures are read at contour levels of their own, the forecast at the model's: near, not always inside.
        assert (np.abs(np.log(expected / wide.median[places])) < np.log(2)).all()
        prior = found.prior_mm3[region]
        assert prior.upper[-1] / prior.lower[-1].clip(1) > wide.upper[-1] / wide.lower[-1]  # the scans said something
    low, median, high = (found.density[percent].astype(int) for percent in (5, 50, 95))
    assert low.shape == forecast.cellularity.shape
    assert (low <= median).all()
    assert (median <= high).all()
    assert (low < high)[-1].any()
    error = np.abs(median / STEPS - forecast.cellularity)
    assert error[forecast.cellularity > 0.05].mean() < 0.1
    for region, level in forecast.thresholds.items():
        share = found.probability[region] / STEPS
        assert share[median / STEPS > level + 0.15].min() > 0.5
        assert share[(high / STEPS < level - 0.15)].max() < 0.5
        futures = found.volume_mm3[region][0].median[places].sum()
        assert share.sum() * forecast.grid.voxel_volume_mm3 == pytest.approx(futures, rel=0.25)


def test_the_result_is_stored_whole(undisturbed):
    folder, result = undisturbed
    assert_same(read_result(folder), result)


def test_a_changed_horizon_keeps_the_draws(undisturbed, folder, patient, tmp_path):
    source, first = undisturbed
    shorter = JobSpec(**{**SPEC.to_dict(), "horizon_days": 10.0, "output_days": ()})
    write_job(folder, shorter, patient)
    (source / "checkpoint").rename(tmp_path / "checkpoint")
    try:
        (folder / "checkpoint").symlink_to(tmp_path / "checkpoint")
        before = times(folder, RUNS)
        result = run_job_folder(folder)
        assert times(folder, RUNS) == before
    finally:
        (tmp_path / "checkpoint").rename(source / "checkpoint")
    assert_same(result.posterior, first.posterior)
    assert result.forecast.days[-1] == pytest.approx(70.1875)


def test_a_calibration_alone_has_a_posterior_and_no_futures(undisturbed, folder, patient):
    _, first = undisturbed
    write_job(folder, JobSpec(**{**SPEC.to_dict(), "horizon_days": None, "output_days": ()}), patient)
    result = run_job_folder(folder)
    assert_same(result.posterior, first.posterior)
    assert result.forecast is None


def test_cancelled_while_sampling_the_best_so_far_is_kept_and_marked(folder, undisturbed):
    job = start_job(folder)
    until = time.monotonic() + HANG_S
    while job.progress is None or job.progress.stage != SAMPLE:
        job.poll()
        assert not job.state.over, job.message
        assert time.monotonic() < until
        time.sleep(0.001)
    job.cancel()
    assert job.wait(HANG_S)
    assert job.state is State.CANCELLED
    stopped = read_result(folder)
    assert stopped.ending is Ending.CANCELLED
    assert stopped.forecast is None
    assert stopped.fit.values.keys() == undisturbed[1].fit.values.keys()
    if stopped.posterior is not None:  # else the process was slower than its patience
        assert stopped.posterior.cancelled
        assert stopped.posterior.notes[-1] == "Stopped on request: this is the best so far."
    assert_same(untimed(run_job_folder(folder)), untimed(undisturbed[1]))


@pytest.mark.parametrize("draws", [0, 60, 120])
def test_stopped_anywhere_while_sampling_the_posterior_so_far_is_told(patient, draws):
    """In this process, where nobody is impatient."""

    def stop(watcher: Watcher) -> bool:
        return any(one.stage == SAMPLE and one.done >= draws for one in watcher.told)

    watcher = Told(stop)
    with pytest.raises(CancelledError):
        compute(SPEC, patient, watcher)
    (posterior,) = watcher.posteriors
    summary = posterior.summary()
    assert summary.cancelled
    assert summary.notes[-1] == "Stopped on request: this is the best so far."
    assert not watcher.frames
    assert watcher.fits[-1].values.keys() == {row.name for row in summary.rows}


class Told(Watcher):
    """Keeps posteriors, too."""

    def __init__(self, stop) -> None:
        super().__init__(stop)
        self.posteriors = []

    def sampled(self, posterior) -> None:
        self.posteriors.append(posterior)


@pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
def test_killed_while_sampling_it_continues_to_the_same_bits(folder, undisturbed):
    kill_when(folder, RUNS, 60)
    before = times(folder, RUNS)
    assert len(before) < len(times(undisturbed[0], RUNS))
    assert_same(untimed(run_job_folder(folder)), untimed(undisturbed[1]))
    after = times(folder, RUNS)
    assert after.items() >= before.items()  # no run of the model is repeated
    assert after.keys() == times(undisturbed[0], RUNS).keys()


def test_a_damaged_run_is_computed_again(undisturbed, folder, patient):
    first, second, *_ = sorted((undisturbed[0] / "checkpoint").rglob("*.npy"))
    whole = first.read_bytes()
    first.write_bytes(whole[:40])
    second.write_bytes(b"")
    (undisturbed[0] / "result.json").unlink()
    assert_same(untimed(run_job_folder(undisturbed[0])), untimed(undisturbed[1]))
    assert first.read_bytes() == whole


def test_a_job_without_uncertainty_leaves_no_posterior_of_an_earlier_one(undisturbed, folder, patient):
    (folder / "posterior").mkdir()
    (folder / "posterior" / "posterior.json").write_text("{}")
    write_job(folder, JobSpec(horizon_days=30.0, resolution_mm=4.0), patient)
    result = run_job_folder(folder)
    assert not (folder / "posterior").exists()
    assert result.posterior is None
    assert result.forecast.uncertainty is None


def test_factors_of_a_study_give_calibrated_intervals_beside_the_raw(patient, tmp_path, monkeypatch):
    factors = {(region, 30.0, 0.9): 2.0 * 1.645 for region in ("core", "whole_tumor")}
    shipped = ConformalFactors(factors, "40 virtual patients")
    (tmp_path / "glioblastoma.json").write_text(json.dumps(shipped.to_dict()))
    monkeypatch.setattr(bayesian, "_FACTORS", tmp_path)
    forecast = compute(SPEC, patient, Watcher()).forecast
    raw, _, calibrated = forecast.uncertainty.volume_mm3["whole_tumor"]
    assert calibrated.name == "90 % interval, calibrated"
    past = forecast.uncertainty.days <= forecast.forecast_from_day
    assert np.isnan(calibrated.upper[past]).all()  # no factor was fitted there
    later = ~past
    ratio = np.log(calibrated.upper / calibrated.lower)[later] / np.log(raw.upper / raw.lower)[later]
    assert ratio.mean() == pytest.approx(2.0, rel=0.3)
    assert forecast.uncertainty.cohort == "40 virtual patients"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"bayesian": "yes"}, "bayesian is 'yes': give true or false."),
        ({"n_samples": 0}, "n_samples is 0: give at least 1."),
        ({"n_futures": 2.5}, "n_futures is 2.5: give a whole number."),
        ({"bayesian": True, "parameters": {"proliferation_per_day": 0.1}}, "With known parameters there is nothing"),
    ],
)
def test_settings_that_cannot_be(settings, sentence):
    with pytest.raises(TumorTwinError) as refused:
        JobSpec(**settings)
    assert str(refused.value).startswith(sentence)
