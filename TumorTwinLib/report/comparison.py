"""What the report says of regimens that were compared: the verdict first, then numbers, curves and calendars."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from html import escape

from TumorTwinLib.recommend.comparison import Comparison
from TumorTwinLib.recommend.outcomes import RegimenOutcome
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.report.curves import band_chart, timeline_chart
from TumorTwinLib.report.numbers import milliliters, significant
from TumorTwinLib.report.tables import bullets, table, words
from TumorTwinLib.treatment.calendar import WEEKDAYS, Week, calendar


def comparison_section(record: ComparisonRecord | None) -> str:
    """Everything about the comparison; empty without one."""
    if record is None:
        return ""
    comparison = record.comparison
    return "\n".join(
        [
            f'<p class="verdict">{escape(comparison.sentence)}</p>',
            _about(comparison),
            _compact(_outcomes(comparison)),
            band_chart(comparison),
            "<h3>Differences between regimens, on the same draws</h3>",
            _compact(_pairs(comparison)),
            "<h3>Burden</h3>",
            _compact(_burden(comparison)),
            bullets(comparison.notes),
        ]
    )


def calendar_section(record: ComparisonRecord | None) -> str:
    """What every regimen gives, week by week; empty without a comparison."""
    if record is None:
        return ""
    parts = [timeline_chart(record)]
    for outcome in record.comparison.outcomes:
        parts.append(f"<h3>{escape(outcome.title)}</h3>")
        about = " ".join(filter(None, [outcome.description, f"Source: {outcome.source}." if outcome.source else ""]))
        parts.append(f'<p class="note">{escape(about)}</p>' if about else "")
        weeks = calendar(record.courses[outcome.name])
        rows = [(when, *days) for when, days in _same_weeks(weeks)]
        parts.append(
            _compact(table(["Week from", *WEEKDAYS], rows), "compact calendar")
            or '<p class="note">Nothing is given.</p>'
        )
    return "\n".join(parts)


def _about(comparison: Comparison) -> str:
    rule = comparison.rule
    region = words(comparison.region).lower()
    text = (
        f"{comparison.provenance['draws']} draws of the posterior, the same under every regimen, from the decision on "
        f"{comparison.decision:%Y-%m-%d} over {comparison.horizon_days:g} days. Progression of the {region} by the "
        f"rule “{rule.name}” ({rule.source}). Medians with 95 % intervals; times count from the decision."
    )
    return f"<p>{escape(text)}</p>"


def _outcomes(comparison: Comparison) -> str:
    def interval(outcome: RegimenOutcome, measure: str, text=lambda value: f"{value:.0f}") -> str:
        e = outcome.estimate(measure)
        return f"{text(e.median)} ({text(e.lower)} to {text(e.upper)})"

    rows = []
    for outcome in (*comparison.outcomes, comparison.untreated):
        best, regret = comparison.probability_best.get(outcome.name), comparison.regret_days.get(outcome.name)
        beyond = "" if outcome.progressed.all() else f"; {100 * (1 - outcome.progressed.mean()):.0f} % later"
        rows.append(
            (
                outcome.title,
                interval(outcome, "time_to_progression_days") + beyond,
                interval(outcome, "days_gained"),
                interval(outcome, "log10_kill", lambda value: f"{value:.1f}"),
                interval(outcome, "nadir_mm3", milliliters),
                interval(outcome, "final_mm3", milliliters),
                "" if best is None else f"{best:.2f}",
                "" if regret is None else f"{regret:.0f}",
            )
        )
    head = [
        "Regimen", "Time to progression, days", "Days gained", "Log10 kill", "Smallest volume, mL",
        "Volume at horizon, mL", "P(best)", "Regret, days",
    ]  # fmt: skip
    return table(head, rows, numeric={6, 7})


def _pairs(comparison: Comparison) -> str:
    rows = [
        (
            f"{comparison[pair.first].title} against {comparison[pair.second].title}",
            f"{pair.difference.median:+.0f}",
            f"{pair.decision_interval[0]:+.0f} to {pair.decision_interval[1]:+.0f}",
            f"{pair.probability_first:.2f}",
            "yes" if pair.distinguishable else "no",
            ", ".join(words(name) for name in pair.unknown),
        )
        for pair in comparison.pairs
    ]
    head = [
        "Regimens", "Median difference, days", "99 % interval, days", "P(first is better)", "Told apart",
        "Differ in what no scan has seen",
    ]  # fmt: skip
    return table(head, rows, numeric={1, 2, 3})


def _burden(comparison: Comparison) -> str:
    rows = []
    for outcome in comparison.outcomes:
        burden = outcome.toxicity
        doses = (f"{drug} {dose:.4g} {burden.units[drug]}" for drug, dose in burden.cumulative_dose.items())
        front = "yes" if outcome.name in comparison.pareto else "no"
        cells = (significant(burden.bed3_gy), ", ".join(doses), *map(str, (burden.weeks, burden.visits)), front)
        rows.append((outcome.title, *cells, "exploratory" if outcome.exploratory else ""))
    head = ["Regimen", "BED3, Gy", "Cumulative doses", "Weeks", "Treatment days", "On the Pareto front", ""]
    return table(head, rows, numeric={1, 3, 4})


def _compact(content: str, kind: str = "compact") -> str:
    """A wide table, whose headings may break."""
    return content and f'<div class="{kind}">{content}</div>'


def _same_weeks(weeks: tuple[Week, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Consecutive weeks with the same days as one row."""
    for days, group in itertools.groupby(weeks, key=lambda week: week.days):
        same = list(group)
        count = f", {len(same)} weeks" if len(same) > 1 else ""
        yield f"{same[0].monday:%Y-%m-%d}{count}", days
