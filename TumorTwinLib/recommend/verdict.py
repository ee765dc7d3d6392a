"""Who is better, and when nobody may say so: paired differences, probabilities of being best, regret, Pareto front.

A pair is told apart when the central 99 % of the paired difference in time to progression excludes zero, its mean is at
least a week, and the data informed every parameter in which the two regimens differ: an effect that no scan has seen
cannot rank them. (With 95 %, a calibrated posterior calls one true tie in twenty a difference.) A regimen
is recommended when it is best with a probability of at least 0.8, is told apart from every other, and is not
exploratory. Otherwise there is no recommendation.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.recommend import DISCLAIMER
from TumorTwinLib.recommend.outcomes import Estimate, RegimenOutcome
from TumorTwinLib.treatment.toxicity import Toxicity

LEAST_PROBABILITY_BEST = 0.8
DECISION_LEVEL = 0.99
RELEVANT_DAYS = 7.0  # less than this is within what outputs and steps resolve, and moves no clinic visit
INDISTINGUISHABLE = "not distinguishable with these data"


@dataclass(frozen=True)
class Pair:
    """Two regimens on the same draws.

    Args:
        difference: in time to progression, first minus second, days.
        decision_interval: central 99 % of it.
        probability_first: that the first is better; equal draws count half.
        differs_in: effect parameters whose events are not the same; unknown: those of them the data say nothing of.
    """

    first: str
    second: str
    difference: Estimate
    decision_interval: tuple[float, float]
    probability_first: float
    differs_in: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """A difference that is sure and matters, whatever it rests on."""
        lower, upper = self.decision_interval
        sure = lower > 0 or upper < 0
        return sure and abs(self.difference.mean) >= RELEVANT_DAYS

    @property
    def distinguishable(self) -> bool:
        return self.differs and not self.unknown


@dataclass(frozen=True)
class Verdict:
    """What may be said.

    Args:
        recommended: name of a regimen, or None: the comparison abstains.
        leading: the regimen with the longest mean time to progression.
        not_told_apart: those that cannot be told apart from the leading one.
        reasons: why there is no recommendation, one sentence each.
    """

    recommended: str | None
    leading: str
    not_told_apart: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def abstains(self) -> bool:
        return self.recommended is None

    def __str__(self) -> str:
        if self.recommended is not None:
            return f"Longest time to progression with these data: {self.recommended}. {DISCLAIMER}"
        return f"The regimens are {INDISTINGUISHABLE}. {' '.join(self.reasons)} {DISCLAIMER}"


def pair_of(
    first: RegimenOutcome, second: RegimenOutcome, differs_in: Sequence[str], informed: Mapping[str, bool]
) -> Pair:
    a, b = (outcome.draws["time_to_progression_days"] for outcome in (first, second))
    better = float(np.mean((a > b) + 0.5 * (a == b)))
    unknown = tuple(name for name in differs_in if not informed.get(name, False))
    tail = 0.5 * (1.0 - DECISION_LEVEL)
    low, up = (float(q) for q in np.quantile(a - b, [tail, 1.0 - tail]))
    return Pair(first.name, second.name, Estimate.of(a - b), (low, up), better, tuple(differs_in), unknown)


def probabilities_best(outcomes: Sequence[RegimenOutcome]) -> dict[str, float]:
    """By name, the share of draws in which it progresses last; draws with several best are shared."""
    times = np.stack([outcome.draws["time_to_progression_days"] for outcome in outcomes])
    best = times == times.max(axis=0)
    shares = (best / best.sum(axis=0)).mean(axis=1)
    return {outcome.name: float(share) for outcome, share in zip(outcomes, shares, strict=True)}


def expected_regrets_days(outcomes: Sequence[RegimenOutcome]) -> dict[str, float]:
    """By name, mean days to progression lost against the best of each draw."""
    times = np.stack([outcome.draws["time_to_progression_days"] for outcome in outcomes])
    lost = (times.max(axis=0) - times).mean(axis=1)
    return {outcome.name: float(days) for outcome, days in zip(outcomes, lost, strict=True)}


def verdict_of(outcomes: Sequence[RegimenOutcome], pairs: Sequence[Pair]) -> Verdict:
    """Recommend, or say why not."""
    if len(outcomes) < 2:
        name = outcomes[0].name
        return Verdict(None, name, (), ("There is one regimen only.",))
    best = probabilities_best(outcomes)
    leader = max(outcomes, key=lambda outcome: float(outcome.draws["time_to_progression_days"].mean()))
    title = {outcome.name: outcome.title for outcome in outcomes}
    rivals = [pair for pair in pairs if leader.name in (pair.first, pair.second)]
    apart = {_other(pair, leader.name): pair for pair in rivals if not pair.distinguishable}
    reasons = []
    if best[leader.name] < LEAST_PROBABILITY_BEST:
        reasons.append(f"{leader.title} is best with a probability of {best[leader.name]:.2f} only.")
    even = [title[name] for name, pair in apart.items() if not pair.differs]
    if even:
        reasons.append(f"The difference to {_listed(even)} may be none, or less than a week.")
    unknown = sorted({name for pair in apart.values() for name in pair.unknown})
    if unknown:
        against = _listed([title[name] for name, pair in apart.items() if pair.unknown])
        reasons.append(
            f"The lead over {against} rests on the prior of {_listed(unknown)}: no scan has seen that effect."
        )
    if leader.exploratory:
        reasons.append(f"{leader.title} is exploratory.")
    if reasons and not any(outcome.progressed.any() for outcome in outcomes):
        reasons.append("No regimen progresses before the horizon: lengthen it.")
    return Verdict(None if reasons else leader.name, leader.name, tuple(apart), tuple(reasons))


def pareto_front(outcomes: Sequence[RegimenOutcome]) -> tuple[str, ...]:
    """Names of the regimens that no other beats: none is as late to progress (mean) at no more of every burden."""
    points = {o.name: (-o.estimate("time_to_progression_days").mean, *burdens(o, outcomes)) for o in outcomes}

    def dominated(name: str) -> bool:
        mine = np.array(points[name])
        rivals = (np.array(point) for other, point in points.items() if other != name)
        return any((rival <= mine).all() and (rival < mine).any() for rival in rivals)

    return tuple(name for name in points if not dominated(name))


def burdens(outcome: RegimenOutcome, among: Sequence[RegimenOutcome]) -> tuple[float, ...]:
    """Toxicity proxies as one tuple: BED3, surgeries, weeks, then the dose of every drug that anyone gets."""
    drugs = sorted({drug for other in among for drug in other.toxicity.cumulative_dose})
    t: Toxicity = outcome.toxicity
    return (t.bed3_gy, t.surgeries, t.weeks, *(t.cumulative_dose.get(drug, 0.0) for drug in drugs))


def all_pairs(outcomes: Sequence[RegimenOutcome]) -> list[tuple[RegimenOutcome, RegimenOutcome]]:
    return list(itertools.combinations(outcomes, 2))


def _other(pair: Pair, name: str) -> str:
    return pair.second if pair.first == name else pair.first


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
