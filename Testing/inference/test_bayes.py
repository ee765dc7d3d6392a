"""From two or three small scans to a posterior, a forecast with bands, and back from files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import TumorTwinLib as tt
from Testing.inference import small_patient as small
from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.inference.bayes import BayesianCalibration
from TumorTwinLib.inference.posterior import weighted_quantile
from TumorTwinLib.inference.posterior_files import load_posterior
from TumorTwinLib.inference.priors import find_priors
from TumorTwinLib.physics.trackers import CancelTracker

DRAWS = 200


@pytest.fixture(scope="module")
def patient():
    return small.virtual_patient(noise=0.05, rng=np.random.default_rng(5))


@pytest.fixture(scope="module")
def model():
    return small.model()


@pytest.fixture(scope="module")
def memory() -> dict:
    return {}


@pytest.fixture(scope="module")
def posterior(model, patient, memory):
    return BayesianCalibration(model, patient, DRAWS, seed=3, memory=memory).run()


def test_the_truth_is_inside_and_the_data_informed(posterior):
    for name, truth in small.TRUTH.items():  # that of temozolomide lies far out in the prior, which pulls
        x, weights = np.log(posterior.samples[name]), posterior.weights
        mean = weights @ x
        assert abs(np.log(truth) - mean) < 3.0 * np.sqrt(weights @ (x - mean) ** 2), name
    assert posterior.informed["proliferation_per_day"]
    assert posterior.informed["diffusivity_mm2_per_day"]
    assert posterior.k_hat < 0.7
    assert posterior.weights.sum() == pytest.approx(1.0)
    assert posterior.samples["proliferation_per_day"].shape == (DRAWS,)
    assert posterior.cost.solves > DRAWS


def test_the_table_has_units_marks_and_diagnostics(posterior):
    summary = posterior.summary()
    rows = {row.name: row for row in summary.rows}
    growth = rows["proliferation_per_day"]
    assert growth.unit == "1/day"
    assert growth.lower < growth.median < growth.upper
    assert growth.prior_lower < growth.lower
    assert 0 < growth.sd_ratio < 0.8
    assert growth.divergence > 0.3
    text = str(summary)
    assert "informed" in text
    assert "k-hat" in text


def test_a_parameter_no_scan_can_see_is_marked_prior_dominated(model, patient, memory):
    untreated = replace(patient, treatments=[])
    without = BayesianCalibration(model, untreated, 0, seed=3).run()
    assert not without.informed["radiosensitivity_per_gy"]
    row = next(r for r in without.summary().rows if r.name == "radiosensitivity_per_gy")
    assert row.mark == "prior-dominated"
    assert row.sd_ratio == pytest.approx(1.0, abs=0.06)
    assert row.divergence == pytest.approx(0.0, abs=0.03)
    assert "not corrected by solves" in str(without.summary())


def test_the_same_seed_gives_the_same_bits_with_any_threads_and_from_memory(model, patient, posterior, memory):
    solved = len(memory)
    again = BayesianCalibration(model, patient, DRAWS, seed=3, memory=memory, threads=1).run()
    assert len(memory) == solved
    assert np.array_equal(again.draws.z, posterior.draws.z)
    assert np.array_equal(again.draws.log_weights, posterior.draws.log_weights)
    fresh = BayesianCalibration(model, patient, 8, seed=3, threads=1).run()
    assert np.array_equal(fresh.mode.z, posterior.mode.z)


def test_a_stopped_calibration_returns_its_best_marked_and_resumes_to_the_same_bits(model, patient, posterior):
    memory: dict = {}
    stop = CancelTracker(lambda: len(memory) > 45)
    best = BayesianCalibration(model, patient, DRAWS, seed=3, memory=memory, trackers=[stop]).run()
    assert best.cancelled
    assert "best so far" in str(best.summary())
    assert dict(best.map_estimate)
    resumed = BayesianCalibration(model, patient, DRAWS, seed=3, memory=memory).run()
    assert not resumed.cancelled
    assert np.array_equal(resumed.draws.log_target, posterior.draws.log_target)
    with pytest.raises(CancelledError):
        BayesianCalibration(model, patient, DRAWS, trackers=[CancelTracker(lambda: True)]).run()


def test_progress_runs_through_the_stages(model, patient, memory):
    told = []
    BayesianCalibration(model, patient, DRAWS, seed=3, memory=memory, on_progress=told.append).run()
    assert list(dict.fromkeys(p.stage for p in told)) == ["search", "most probable", "draws"]
    assert told[-1].done == told[-1].total == DRAWS
    assert told[-1].values is not None


def test_the_snippet_of_the_documentation_runs(posterior, model):
    twin = tt.DigitalTwin(model=model, parameters=posterior.map_estimate, uncertainty=posterior.credible_interval(0.95))
    forecast = twin.predict(horizon_days=30, output_times=[10, 30])
    assert forecast.days[-2:].tolist() == [70.0, 90.0]
    assert forecast.parameters[0].standard_error > 0
    assert forecast.parameters[0].posterior_to_prior_sd < 0.8
    future = posterior.predictive(30, [10, 30], fields=16)
    center = np.log(future.volume_mm3["whole_tumor"][:, -1])
    assert abs(np.log(forecast.volume_mm3["whole_tumor"][-1]) - np.median(center)) < 4 * center.std() + 0.05


def test_the_future_has_bands_fields_and_probabilities(posterior):
    future = posterior.predictive(60, [15, 60], fields=48, seed=1)
    assert future.days.tolist() == [75.0, 120.0]
    raw, model_only = future.band("whole_tumor"), future.band("whole_tumor", measured=False)
    assert not raw.calibrated
    assert (raw.lower < raw.median).all()
    assert (raw.median < raw.upper).all()
    added = np.log(future.measured_mm3["whole_tumor"] / future.volume_mm3["whole_tumor"])
    assert 0.02 < added.std() < 0.5  # a scan adds its own noise
    assert (model_only.lower < model_only.upper).all()
    assert raw.upper[1] / raw.lower[1] > raw.upper[0] / raw.lower[0]  # and the future is less known than tomorrow
    low, middle, high = (future.field_quantile(1, q) for q in (0.05, 0.5, 0.95))
    assert low.shape == future.grid.shape
    assert (low <= middle + 1e-6).all()
    assert (middle <= high + 1e-6).all()
    probability = future.probability(1, "whole_tumor")
    assert probability.max() == 1.0
    assert ((probability > 0.1) & (probability < 0.9)).any()
    volume = probability.sum() * future.grid.voxel_volume_mm3
    assert volume == pytest.approx(future.volume_mm3["whole_tumor"][:, 1].mean(), rel=0.02)
    again = posterior.predictive(60, [15, 60], fields=48, seed=1)
    assert np.array_equal(again.measured_mm3["core"], future.measured_mm3["core"])
    with pytest.raises(TumorTwinError, match="output_times must increase"):
        posterior.predictive(60, [70])


def test_a_posterior_survives_its_files(posterior, model, patient, tmp_path):
    posterior.save(tmp_path / "posterior")
    loaded = load_posterior(tmp_path / "posterior", model, patient)
    assert np.array_equal(loaded.draws.log_weights, posterior.draws.log_weights)
    assert loaded.credible_interval() == posterior.credible_interval()
    assert str(loaded.summary()) == str(posterior.summary())
    one, two = (p.predictive(10, [10], fields=4, seed=2) for p in (loaded, posterior))
    assert np.array_equal(one.density, two.density)
    with pytest.raises(TumorTwinError, match="is of patient virtual"):
        load_posterior(tmp_path / "posterior", model, replace(patient, patient_id="another"))
    with pytest.raises(TumorTwinError, match="holds no posterior"):
        load_posterior(tmp_path, model, patient)


def test_two_scans_and_their_interval_are_enough(patient):
    first, second = patient.visits[0], patient.visits[1]
    estimator = tt.ParameterEstimator(model_type="reaction_diffusion", optimization="bayesian", n_samples=40)
    parameters = estimator.estimate(
        imaging_t0=first,
        imaging_t1=second,
        time_interval_days=30,
        prior_distributions={"diffusion": ("lognormal", 0.1, 0.5), "proliferation": ("lognormal", 0.05, 0.3)},
        brain_mask=patient.brain_mask,
        treatments=patient.treatments,
    )
    assert parameters["diffusion"] == parameters["diffusivity_mm2_per_day"] > 0
    assert 0.02 < parameters["proliferation"] < 0.12
    assert parameters["carrying_capacity"] == 7.5e5
    low, up = parameters.credible_interval(0.95)["proliferation_per_day"]
    assert low < parameters["proliferation"] < up
    with pytest.raises(KeyError, match="Unknown parameter"):
        parameters["speed"]


def test_the_estimator_refuses_what_it_cannot_do(patient):
    with pytest.raises(TumorTwinError, match="Unknown optimization"):
        tt.ParameterEstimator(optimization="magic")
    with pytest.raises(TumorTwinError, match="Unknown model"):
        tt.ParameterEstimator(model_type="magic")
    estimator = tt.ParameterEstimator(optimization="map")
    with pytest.raises(TumorTwinError, match="time_interval_days"):
        estimator.estimate(patient.visits[0], patient.visits[1], 0.0)
    with pytest.raises(TumorTwinError, match="pass brain_mask"):
        estimator.estimate(patient.visits[0], patient.visits[1], 30.0)


def test_an_ensemble_has_equal_draws(posterior):
    draws = posterior.equal_draws(50)["proliferation_per_day"]
    assert draws.shape == (50,)
    samples, weights = posterior.samples["proliferation_per_day"], posterior.weights
    assert draws.mean() == pytest.approx(weights @ samples, rel=0.05)


def test_one_visit_is_not_enough_and_names_are_checked(model, patient):
    with pytest.raises(TumorTwinError, match="at least two"):
        BayesianCalibration(model, patient, visits=1).run()
    with pytest.raises(TumorTwinError, match="Unknown parameter"):
        BayesianCalibration(model, patient, priors={"speed": ("normal", 0, 1)}).run()
    priors = find_priors(model.parameters, {"proliferation": ("uniform", 0.01, 0.1)})
    assert priors["proliferation_per_day"].interval(0.9) == pytest.approx((0.0145, 0.0955))


def test_weighted_quantiles_of_equal_weights_are_quantiles():
    x = np.random.default_rng(0).standard_normal(2001)
    for p in (0.025, 0.5, 0.9):
        assert weighted_quantile(x, np.full(2001, 1 / 2001), p) == pytest.approx(np.quantile(x, p), abs=0.01)
