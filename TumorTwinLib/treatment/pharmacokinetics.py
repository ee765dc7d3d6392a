"""How long a drug stays: linear compartments, solved in closed form, and exact integrals of their concentration.

``dx/dt = K x`` for the amounts x in n compartments has the solution ``x(t) = V exp(Lambda t) V^-1 x(0)``: the
concentration in plasma after a dose is a sum of n exponentials (Gibaldi & Perrier, Pharmacokinetics, 1982). Sums of
exponentials, and infusions made of them, are all that the reaction of a model needs; nothing is ever sampled in time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError

_DISTINCT = 1e-6  # relative distance of two rates below which the eigenvectors cannot be told apart


@dataclass(frozen=True)
class Administration:
    """``amount`` given at once on ``day``, or evenly from then on for ``infusion_days``."""

    day: float
    amount: float
    infusion_days: float = 0.0


@dataclass(frozen=True)
class Decay:
    """A part of a concentration: ``sum_j amounts_j exp(-rate (t - day_j))`` over all ``day_j <= t``.

    Args:
        rate_per_day: zero for a part that stays.
        days, amounts: (n,) each; amounts may be negative.
    """

    rate_per_day: float
    days: np.ndarray
    amounts: np.ndarray

    def concentration(self, day: float) -> float:
        since = day - self.days
        given = since >= 0
        return float(np.sum(self.amounts[given] * np.exp(-self.rate_per_day * since[given])))

    def exposure(self, start: float, end: float) -> float:
        """Integral of the concentration from ``start`` to ``end``."""
        first = np.maximum(self.days, start)
        length = np.maximum(end - first, 0.0)
        left = np.exp(-self.rate_per_day * (first - self.days))
        span = length if self.rate_per_day == 0 else -np.expm1(-self.rate_per_day * length) / self.rate_per_day
        return float(np.sum(self.amounts * left * span))


@dataclass(frozen=True)
class Disposition:
    """Concentration after a dose of 1: ``sum_i weights_i exp(-rates_i t)``.

    Args:
        weights: dimensionless; they sum to 1 for a dose into plasma, to 0 for one that is absorbed first.
        rates_per_day: positive.
    """

    weights: tuple[float, ...]
    rates_per_day: tuple[float, ...]

    @classmethod
    def of_half_life(cls, half_life_days: float) -> Disposition:
        """One compartment."""
        if not 0 < half_life_days < math.inf:
            raise TumorTwinError(f"A drug's half-life is {half_life_days} days: give a positive number.")
        return cls((1.0,), (math.log(2) / half_life_days,))

    @property
    def area(self) -> float:
        """Days of exposure to the concentration of a bolus: its integral to infinity."""
        return sum(weight / rate for weight, rate in zip(self.weights, self.rates_per_day, strict=True))

    def decays(self, administrations: Iterable[Administration]) -> tuple[Decay, ...]:
        """The concentration of a course as parts that each decay at one rate.

        An infusion of rate r from t0 to t1 is ``r w / k (1 - exp(-k (t - t0)))`` minus the same from t1: two constants,
        which cancel at its end, and two decays.
        """
        given = list(administrations)
        constant: list[tuple[float, float]] = []
        parts = []
        for weight, rate in zip(self.weights, self.rates_per_day, strict=True):
            terms: list[tuple[float, float]] = []
            for dose in given:
                if dose.infusion_days > 0:
                    level = weight * dose.amount / (dose.infusion_days * rate)
                    terms += [(dose.day, -level), (dose.day + dose.infusion_days, level)]
                    constant += [(dose.day, level), (dose.day + dose.infusion_days, -level)]
                else:
                    terms.append((dose.day, weight * dose.amount))
            parts.append(_decay(rate, terms))
        if constant:
            parts.append(_decay(0.0, constant))
        return tuple(parts)


def _decay(rate: float, terms: list[tuple[float, float]]) -> Decay:
    days, amounts = np.array(sorted(terms)).reshape(-1, 2).T
    return Decay(rate, days, amounts)


def concentration(decays: Iterable[Decay], day: float) -> float:
    return sum(part.concentration(day) for part in decays)


def exposure(decays: Iterable[Decay], start: float, end: float) -> float:
    """Exact integral of the concentration over ``[start, end]``, whatever falls inside."""
    return sum(part.exposure(start, end) for part in decays)


@dataclass(frozen=True)
class Compartments:
    """Plasma, tissues that exchange with it, and, for what is swallowed or injected under the skin, a depot.

    Args:
        clearance_l_per_day: from plasma.
        volumes_l: plasma first, then one for each tissue.
        flows_l_per_day: between plasma and each tissue.
        absorption_per_day: from the depot into plasma, or None for what is given into a vein.
    """

    clearance_l_per_day: float
    volumes_l: tuple[float, ...]
    flows_l_per_day: tuple[float, ...] = ()
    absorption_per_day: float | None = None

    def __post_init__(self) -> None:
        sizes = (self.clearance_l_per_day, *self.volumes_l, *self.flows_l_per_day)
        absorption = () if self.absorption_per_day is None else (self.absorption_per_day,)
        if len(self.flows_l_per_day) != len(self.volumes_l) - 1 or not all(
            0 < x < math.inf for x in (*sizes, *absorption)
        ):
            raise TumorTwinError(
                f"Compartments of {self.volumes_l} l with flows of {self.flows_l_per_day} l/day: give positive numbers "
                "and one flow for each volume after the first."
            )

    def rate_matrix(self) -> np.ndarray:
        """(n, n) K per day of the amounts, plasma first and the depot, if any, last."""
        tissues, depot = len(self.flows_l_per_day), self.absorption_per_day is not None
        k = np.zeros((1 + tissues + depot, 1 + tissues + depot))
        k[0, 0] = -self.clearance_l_per_day / self.volumes_l[0]
        for i, flow in enumerate(self.flows_l_per_day, start=1):
            out, back = flow / self.volumes_l[0], flow / self.volumes_l[i]
            k[0, 0] -= out
            k[i, 0], k[i, i], k[0, i] = out, -back, back
        if self.absorption_per_day is not None:
            k[0, -1], k[-1, -1] = self.absorption_per_day, -self.absorption_per_day
        return k

    def disposition(self) -> Disposition:
        """Amount in plasma after a dose of 1.

        Raises:
            TumorTwinError: two rates that coincide, where the solution is no sum of exponentials.
        """
        rates, vectors = np.linalg.eig(self.rate_matrix())
        rates, vectors = -rates.real, vectors.real  # detailed balance, and a triangular depot: real eigenvalues
        if np.diff(np.sort(rates)).min(initial=np.inf) < _DISTINCT * rates.max():
            raise TumorTwinError("Two rates of the compartments coincide: change the absorption by one percent.")
        start = np.zeros(len(rates))
        start[0 if self.absorption_per_day is None else -1] = 1.0
        weights = vectors[0] * np.linalg.solve(vectors, start)
        order = np.argsort(-rates)
        return Disposition(tuple(float(w) for w in weights[order]), tuple(float(r) for r in rates[order]))
