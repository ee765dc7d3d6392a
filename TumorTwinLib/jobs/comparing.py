"""The comparison of regimens as a stage of a job. Who watches is told."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from TumorTwinLib.errors import CancelledError, TumorTwinError
from TumorTwinLib.forecast import Forecast
from TumorTwinLib.geometry import Image
from TumorTwinLib.inference.posterior import Posterior
from TumorTwinLib.jobs.observer import Observer
from TumorTwinLib.jobs.protocol import COMPARE, Progress
from TumorTwinLib.jobs.spec import JobSpec
from TumorTwinLib.patient import PatientData
from TumorTwinLib.physics.solver import SolverSettings
from TumorTwinLib.physics.trackers import CancelTracker
from TumorTwinLib.recommend.comparison import Comparison, compare_regimens
from TumorTwinLib.recommend.plans import UNTREATED, Plan, default_start, make_plan, standard_targets, treated_by
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.treatment.events import RadiotherapyFraction, Surgery, TreatmentEvent
from TumorTwinLib.treatment.regimens import Regimen
from TumorTwinLib.uncertainty import STEPS

_MAP_DRAWS = 16  # that a map is the median of; volumes and times rest on all


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be compared.

    Args:
        plans: with their dates and doses.
        targets: masks that they were made with.
        fingerprint: of everything that the comparison follows from, besides the forecast.
    """

    plans: tuple[Plan, ...]
    targets: Mapping[str, Image] | None
    fingerprint: str


def comparison_task(spec: JobSpec, patient: PatientData, chosen: Sequence[Regimen | Plan], forecast_print: str) -> Task:
    """The plans of a job.

    Raises:
        TumorTwinError: a regimen that needs an outline of the tumor where there is none, or that begins too early.
    """
    used = len(patient.visits) if spec.calibration_visits is None else spec.calibration_visits
    decision = patient.visits[used - 1].time
    start = datetime.fromisoformat(spec.regimen_start) if spec.regimen_start else default_start(decision)
    targets = _targets(patient, used, spec.target_margin_mm)
    plans = tuple(make_plan(one, patient, decision, start, targets=targets) for one in chosen)
    settings = (forecast_print, spec.comparison_draws, spec.progression_rule, spec.target_margin_mm)
    courses = [(plan.name, plan.title, _without_volumes(plan.events)) for plan in plans]
    digest = hashlib.blake2b(repr((settings, courses)).encode(), digest_size=12).hexdigest()
    return Task(plans, targets, digest)


def compare(
    spec: JobSpec,
    posterior: Posterior,
    forecast: Forecast,
    task: Task,
    observer: Observer,
    memory: MutableMapping[str, np.ndarray],
) -> ComparisonRecord:
    """Compare the plans, then map each.

    Args:
        memory: what it holds is not solved again.

    Raises:
        CancelledError: stopped; the observer has been told what was compared until then, if it was enough.
    """
    plans = (*task.plans, UNTREATED)
    clock = _Clock(observer, (spec.comparison_draws + _MAP_DRAWS) * len(plans))
    cancel = CancelTracker(observer.cancelled)
    assert spec.horizon_days is not None
    comparison = compare_regimens(
        posterior, task.plans, spec.horizon_days, draws=spec.comparison_draws, rule=spec.progression_rule,
        targets=task.targets, seed=spec.seed,
        settings=SolverSettings(tolerance=posterior.simulator.settings.tolerance, device=spec.device),
        trackers=[cancel], on_progress=clock.after(0), memory=memory,
    )  # fmt: skip
    shown = forecast.days >= forecast.forecast_from_day
    courses = {plan.name: _without_volumes(plan.events) for plan in plans}
    record = ComparisonRecord(
        comparison, forecast.start, courses, forecast.grid, forecast.days[shown], {}, task.fingerprint
    )  # fmt: skip
    if not comparison.cancelled:
        for number, plan in enumerate(plans):
            tell = clock.after(spec.comparison_draws * len(plans) + number * _MAP_DRAWS)
            try:
                map_ = _median(posterior, plan, spec, record, memory, cancel, tell)
            except CancelledError:
                break
            tell(_MAP_DRAWS, _MAP_DRAWS)
            record = replace(record, density={**record.density, plan.name: map_})
    observer.compared(record)
    if record.cancelled:
        raise CancelledError("Stopped on request; what was compared until then has been kept.")
    return record


def comparison_notices(comparison: Comparison) -> list[str]:
    """What the user should know: the verdict first."""
    return [comparison.sentence, *comparison.notes[1:]]


def _median(
    posterior: Posterior, plan: Plan, spec: JobSpec, record: ComparisonRecord, memory: MutableMapping[str, np.ndarray],
    cancel: CancelTracker, on_progress: Callable[[int, int], None],
) -> np.ndarray:  # fmt: skip
    """(f, ni, nj, nk) median cellularity under a plan, in steps of 1/255."""
    days, decision = record.days.tolist(), record.comparison.decision
    what = (_without_volumes(plan.events), spec.target_margin_mm, days, posterior.draws.z.tobytes())
    key = f"map-{hashlib.blake2b(repr(what).encode(), digest_size=12).hexdigest()}"
    if key not in memory:
        treated = treated_by(posterior.patient, decision, plan)
        under = replace(posterior, simulator=replace(posterior.simulator, patient=treated))
        last = treated.day(decision)
        future = under.predictive(
            record.comparison.horizon_days, [day - last for day in days if day > last], fields=_MAP_DRAWS,
            field_days=frozenset(days), also_days=days, trackers=[cancel], on_progress=on_progress,
        )  # fmt: skip
        fields = [future.field_quantile(number, 0.5) for number in range(len(future.field_days))]
        memory[key] = np.stack([np.round(one * STEPS).astype(np.uint8) for one in fields])
    return memory[key]


def _targets(patient: PatientData, used: int, margin_mm: float | None) -> dict[str, Image] | None:
    """Targets around the last outline among the visits used."""
    if margin_mm is None:
        return None
    outlined = [n for n, visit in enumerate(patient.visits[:used]) if visit.whole_tumor is not None]
    if not outlined:
        raise TumorTwinError("No visit used has an outline to aim radiotherapy at: leave out target_margin_mm.")
    return standard_targets(patient, outlined[-1], margin_mm=margin_mm)


def _without_volumes(events: Sequence[TreatmentEvent]) -> tuple[TreatmentEvent, ...]:
    def bare(event: TreatmentEvent) -> TreatmentEvent:
        if isinstance(event, RadiotherapyFraction):
            return replace(event, dose_map=None)
        return replace(event, cavity=None) if isinstance(event, Surgery) else event

    return tuple(bare(event) for event in events)


class _Clock:
    """Tells the observer how far the comparison is, with the time left."""

    def __init__(self, observer: Observer, total: int) -> None:
        self._observer, self._total, self._began = observer, total, time.monotonic()

    def after(self, before: int) -> Callable[[int, int], None]:
        """What to call with done and total of a part that begins after so many draws."""

        def tell(done: int, _total: int) -> None:
            now = before + done
            left = (time.monotonic() - self._began) * (self._total - now) / now
            self._observer.progress(Progress(COMPARE, now, self._total, left))

        return tell
