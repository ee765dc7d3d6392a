"""The columns of the tables of a comparison of regimens."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from TumorTwinLib.mrml.tables import Column
from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.recommend.outcomes import MEASURES, RegimenOutcome
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.treatment.calendar import event_text
from TumorTwinLib.treatment.events import TreatmentEvent, days_between

_MM3 = 1000.0  # a milliliter
# Title and unit of the measures that every draw has.
_SHOWN = {
    "time_to_progression_days": ("Time to progression", "d"),
    "days_gained": ("Days gained", "d"),
    "log10_kill": ("Log10 kill", "1"),
    "nadir_mm3": ("Smallest volume", "mL"),
    "nadir_day": ("Day of smallest volume", "d"),
    "final_mm3": ("Volume at horizon", "mL"),
}


def outcome_columns(comparison: Comparison) -> list[Column]:
    """One row a regimen, the untreated control last."""
    outcomes = (*comparison.outcomes, comparison.untreated)
    columns = [Column("regimen", "Regimen", "", "Research results, not treatment instructions.",
                      [o.title for o in outcomes])]  # fmt: skip
    for measure, (title, unit) in _SHOWN.items():
        scale = _MM3 if unit == "mL" else 1.0
        name = measure.replace("_mm3", "_ml")
        estimates = [o.estimate(measure) for o in outcomes]
        description = f"{MEASURES[measure][1].capitalize()}."
        columns += [
            Column(name, title, unit, f"Median. {description}", np.array([e.median / scale for e in estimates])),
            Column(
                f"{name}_lower", f"{title}, 2.5 %", unit, description, np.array([e.lower for e in estimates]) / scale
            ),
            Column(
                f"{name}_upper", f"{title}, 97.5 %", unit, description, np.array([e.upper for e in estimates]) / scale
            ),
        ]
    best, regret = comparison.probability_best, comparison.regret_days
    return columns + [
        Column("probability_best", "P(best)", "1", "Share of draws in which it progresses last.",
               _numbers(best.get(o.name) for o in outcomes)),
        Column("regret_days", "Expected regret", "d", "Mean days to progression lost against the best of each draw.",
               _numbers(regret.get(o.name) for o in outcomes)),
        Column("worst_tenth_days", "Time to progression, worst tenth", "d", "Conditional value at risk.",
               _numbers(o.value_at_risk_days for o in outcomes)),
        Column("progressed_share", "Progressed before horizon", "1", "Share of draws.",
               _numbers(o.progressed.mean() for o in outcomes)),
        Column("tumor_control_probability", "TCP", "1", "Tumor control probability; every cell counts as clonogenic.",
               _numbers(o.tumor_control_probability for o in outcomes)),
        Column("bed3_gy", "BED3", "Gy", "Biologically effective dose at alpha/beta 3 Gy: a toxicity proxy.",
               _numbers(o.toxicity.bed3_gy for o in outcomes)),
        Column("cumulative_dose", "Cumulative doses", "", "Of every drug: a toxicity proxy.",
               [doses(o) for o in outcomes]),
        Column("weeks", "Weeks", "1", "From first to last treatment.", _numbers(o.toxicity.weeks for o in outcomes)),
        Column("pareto", "Pareto front", "", "No other is as late to progress at no more of every burden.",
               ["yes" if o.name in comparison.pareto else "" for o in outcomes]),
        Column("rests_on_prior_of", "Rests on prior of", "", "Effects of which the data say nothing.",
               [", ".join(o.prior_only) for o in outcomes]),
        Column("exploratory", "Exploratory", "", "Without evidence in patients.",
               ["yes" if o.exploratory else "" for o in outcomes]),
    ]  # fmt: skip


def pair_columns(comparison: Comparison) -> list[Column]:
    """One row every two regimens."""
    pairs = comparison.pairs
    return [
        Column("first", "Regimen", "", "First.", [comparison[p.first].title for p in pairs]),
        Column("second", "Against", "", "Second.", [comparison[p.second].title for p in pairs]),
        Column("difference", "Difference in time to progression", "d", "First minus second, median of paired draws.",
               _numbers(p.difference.median for p in pairs)),
        Column("lower", "0.5 %", "d", "Of the paired difference.", _numbers(p.decision_interval[0] for p in pairs)),
        Column("upper", "99.5 %", "d", "Of the paired difference.", _numbers(p.decision_interval[1] for p in pairs)),
        Column("probability_first", "P(first is better)", "1", "Equal draws count half.",
               _numbers(p.probability_first for p in pairs)),
        Column("told_apart", "Told apart", "", "By the rules of docs/comparison.md.",
               ["yes" if p.distinguishable else "no" for p in pairs]),
        Column("unknown", "Differs in what no scan has seen", "", "Parameters.", [", ".join(p.unknown) for p in pairs]),
    ]  # fmt: skip


def band_columns(record: ComparisonRecord) -> list[Column]:
    """Curves for the chart: by regimen the median and the bounds of the volume."""
    comparison = record.comparison
    columns = [Column("day", "Time", "d", "Days since the last visit used.", comparison.untreated.days)]
    for number, outcome in enumerate((*comparison.outcomes, comparison.untreated)):
        for bound, values in vars(outcome.volume[comparison.region]).items():
            name = f"{series_name(number)}_{bound}"
            columns.append(Column(name, f"{outcome.title}, {bound}", "mL", "Volume.", values / _MM3))
    return columns


def course_columns(record: ComparisonRecord, events: Sequence[TreatmentEvent], row: float) -> list[Column]:
    """What is given of one kind, for the timeline."""
    decision = record.comparison.decision
    return [
        Column("day", "Time", "d", "Days since the last visit used.",
               np.array([days_between(decision, event.time) for event in events])),
        Column("row", "Row", "1", "In the chart.", np.full(len(events), row)),
        Column("date", "Date", "", "Date and time.", [f"{event.time:%Y-%m-%d %H:%M}" for event in events]),
        Column("given", "Given", "", "Dose.", [event_text(event) for event in events]),
    ]  # fmt: skip


def series_name(number: int) -> str:
    """Of a regimen's columns; names of files and events may hold anything."""
    return f"regimen_{number}"


def doses(outcome: RegimenOutcome) -> str:
    """Cumulative doses in words."""
    toxicity = outcome.toxicity
    return ", ".join(f"{drug} {dose:.4g} {toxicity.units[drug]}" for drug, dose in toxicity.cumulative_dose.items())


def _numbers(values) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values], dtype=float)
