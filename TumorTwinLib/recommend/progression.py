"""When a tumor has progressed: the published rules as functions of a series of sizes, and days gained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError

QUANTITIES = {"volume": "mm3", "product": "mm2", "diameter": "mm", "psa": "ng/ml"}


@dataclass(frozen=True)
class ProgressionRule:
    """Progression is the first time a size reaches ``max(factor x nadir, nadir + rise, measurable)``.

    The nadir is the smallest size since the decision, that of the decision included.

    Args:
        quantity: ``"volume"`` (mm3), ``"product"`` (mm2, RANO's sum of bidimensional products), ``"diameter"`` (mm,
            RECIST's longest) or ``"psa"`` (ng/ml).
        factor: over the nadir.
        rise: above the nadir, at least.
        measurable: what is smaller than this has not progressed; a tumor that had gone counts from here on.
    """

    name: str
    quantity: str
    factor: float
    rise: float
    measurable: float
    source: str

    @property
    def unit(self) -> str:
        return QUANTITIES[self.quantity]


_BALL_OF_10_MM = 524.0  # mm3

RULES: Mapping[str, ProgressionRule] = {
    rule.name: rule
    for rule in (
        ProgressionRule(
            "volume", "volume", 1.4, 0.0, _BALL_OF_10_MM,
            "volume of a ball whose bidimensional product grew by 25 % (1.25^1.5): van den Bent, Lancet Oncol 2011",
        ),
        ProgressionRule("RANO", "product", 1.25, 0.0, 100.0, "Wen, J Clin Oncol 2010"),
        ProgressionRule("RECIST", "diameter", 1.2, 5.0, 10.0, "RECIST 1.1: Eisenhauer, Eur J Cancer 2009"),
        ProgressionRule(
            "RECIST volume", "volume", 1.73, 0.0, _BALL_OF_10_MM, "volume of a ball whose diameter grew by 20 %"
        ),
        ProgressionRule("PSA", "psa", 1.0, 2.0, 0.0, "nadir + 2 ng/ml (Phoenix): Roach, IJROBP 2006"),
    )
}  # fmt: skip


def find_rule(rule: str | ProgressionRule) -> ProgressionRule:
    """A rule by its name in ``RULES``; a rule stays as it is.

    Raises:
        TumorTwinError: there is none of that name.
    """
    if isinstance(rule, ProgressionRule):
        return rule
    if rule not in RULES:
        raise TumorTwinError(f"There is no progression rule {rule!r}: choose from {', '.join(RULES)}.")
    return RULES[rule]


def time_to_progression(days: np.ndarray, sizes: np.ndarray, rule: ProgressionRule) -> np.ndarray:
    """(m,) days from ``days[0]`` to progression, infinite where it does not come.

    Args:
        days: (n,) increasing; sizes: (m, n) in the rule's unit. Between days sizes are taken as linear.
    """
    nadir = np.minimum.accumulate(sizes, axis=1)[:, :-1]
    limit = np.maximum(np.maximum(rule.factor * nadir, nadir + rule.rise), rule.measurable)
    before, after = sizes[:, :-1], sizes[:, 1:]
    reached = (after >= limit) & (after > before)
    result = np.full(len(sizes), np.inf)
    rows = np.flatnonzero(reached.any(axis=1))
    j = reached[rows].argmax(axis=1)
    low, high, wanted = before[rows, j], after[rows, j], limit[rows, j]
    share = np.clip((wanted - low) / (high - low), 0.0, 1.0)
    result[rows] = days[j] + share * (days[j + 1] - days[j]) - days[0]
    return result


def days_gained(days: np.ndarray, treated: np.ndarray, untreated: np.ndarray) -> np.ndarray:
    """(m,) days by which the untreated tumor is ahead (Neal, PLoS One 2013).

    From the day on which the untreated one had the size that the treated one has on the last day, to that last day.
    The whole time where the treated one ends smaller than the untreated one began.

    Args:
        days: (n,); treated, untreated: (m, n).
    """
    growing = np.maximum.accumulate(untreated, axis=1)
    reached = [np.interp(end, own, days) for end, own in zip(treated[:, -1], growing, strict=True)]
    return days[-1] - np.array(reached)
