"""Logistic growth with kills, integrated exactly: every stretch of time is one Moebius map of the cellularity.

``du/dt = rho u (1 - u) - kappa(t) u`` is a Bernoulli equation; over ``[t0, t1]``

    u -> G u / (1 + rho J u),   G = exp(rho (t1 - t0) - K(t1)),   K(t) = int_t0^t kappa,   J = int_t0^t1 G(t) dt,

and an instantaneous kill (radiotherapy) is ``u -> S u``. Both have the form ``a u / (1 + b u)``, which is closed under
composition: growth, every dose and every fraction between two diffusion steps cost one multiplication and one division
per voxel, with no time-stepping error. Drug concentration decays exponentially, so ``K`` is closed form and no dose
falls between quadrature points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)
_GONE = 1e-14  # of a reference dose: what is left of a drug after 32 time constants
_PANEL_DECAYS = 3.0  # a panel spans at most this many time constants of the fastest drug: 16 nodes then give 1e-14


@dataclass(frozen=True)
class Moebius:
    """``u -> a u / (1 + b u)`` per member, with derivatives by every parameter.

    Args:
        a, b: (E,).
        da, db: (E, P).
    """

    a: np.ndarray
    b: np.ndarray
    da: np.ndarray
    db: np.ndarray

    @classmethod
    def identity(cls, members: int, parameters: int) -> Moebius:
        """The map that changes nothing."""
        shape = (members, parameters)
        return cls(np.ones(members), np.zeros(members), np.zeros(shape), np.zeros(shape))

    def then(self, later: Moebius) -> Moebius:
        """This map followed by ``later``."""
        a1, b1, a2, b2 = (x[:, None] for x in (self.a, self.b, later.a, later.b))
        return Moebius(
            later.a * self.a,
            self.b + later.b * self.a,
            later.da * a1 + a2 * self.da,
            self.db + later.db * a1 + b2 * self.da,
        )


@dataclass(frozen=True)
class Rate:
    """A parameter value per member and its derivative by every calibrated parameter: (E,) and (E, P)."""

    value: np.ndarray
    derivative: np.ndarray

    @classmethod
    def constant(cls, value, members: int = 1, parameters: int = 0) -> Rate:
        return cls(np.full(members, value, dtype=float), np.zeros((members, parameters)))


@dataclass(frozen=True)
class Drug:
    """Kill rate ``sensitivity * sum_j dose_j exp(-elimination (t - day_j))`` for ``t >= day_j``.

    Args:
        sensitivity_per_day: kill rate at the moment of a dose of relative size 1.
        elimination_per_day: decay rate of the concentration.
        days, relative_doses: (n,) each.

    Raises:
        TumorTwinError: an elimination that is not positive and finite. It may be zero for doses that sum to nothing:
            the plateau of an infusion, from its beginning to its end.
    """

    sensitivity_per_day: Rate
    elimination_per_day: float
    days: np.ndarray
    relative_doses: np.ndarray

    def __post_init__(self) -> None:
        plateau = self.elimination_per_day == 0 and abs(np.sum(self.relative_doses)) <= _GONE
        if not (plateau or 0 < self.elimination_per_day < np.inf):
            raise TumorTwinError(
                f"A drug's elimination must be a positive rate, not {self.elimination_per_day} per day."
            )

    def decay(self, level: float, offset: float, times: np.ndarray) -> np.ndarray:
        """Concentration at ``times`` after ``offset``, itself after an instant at which it was ``level``."""
        return level * np.exp(-self.elimination_per_day * (offset + times))

    def exposure(self, level: float, offset: float, times: np.ndarray) -> np.ndarray:
        """Its integral from ``offset`` on."""
        k = self.elimination_per_day
        return level * np.exp(-k * offset) * (times if k == 0 else -np.expm1(-k * times) / k)


@dataclass(frozen=True)
class InstantKill:
    """Survival ``exp(-log_kill)`` of all cells at one instant."""

    day: float
    log_kill: Rate


@dataclass(frozen=True)
class FieldKill:
    """Survival ``exp(-coefficient * exponent(x))`` at one instant: a dose map.

    Args:
        exponent: (ni, nj, nk) on the model's grid: ``d + d^2 / (alpha/beta)`` in Gy.
        coefficient: alpha per Gy.
    """

    day: float
    coefficient: Rate
    exponent: np.ndarray


@dataclass(frozen=True, eq=False)
class Resection:
    """What lies in the cavity is taken out at one instant; without a residual the cavity leaves the domain for good.

    Args:
        cavity: (ni, nj, nk) Boolean on the model's grid.
        residual_fraction: of the cells that stay behind.
    """

    day: float
    cavity: np.ndarray
    residual_fraction: float = 0.0


@dataclass(frozen=True)
class GrowthChange:
    """From ``day`` on, until the next change, cells proliferate at this rate instead."""

    day: float
    proliferation_per_day: Rate


@dataclass(frozen=True)
class LogisticReaction:
    """All that acts on cells except diffusion.

    Args:
        proliferation_per_day: rho.
        drugs, instants, fields, resections: the kills. At equal times the order is: resections, then field kills, then
            instant kills, then doses, as resection precedes a fraction and a fraction the drug given after it.
        changes: of rho, by day; it holds as given before the first.
    """

    proliferation_per_day: Rate
    drugs: tuple[Drug, ...] = ()
    instants: tuple[InstantKill, ...] = ()
    fields: tuple[FieldKill, ...] = ()
    changes: tuple[GrowthChange, ...] = ()
    resections: tuple[Resection, ...] = ()

    @property
    def members(self) -> int:
        return len(self.proliferation_per_day.value)

    @property
    def parameters(self) -> int:
        return self.proliferation_per_day.derivative.shape[1]

    @property
    def event_days(self) -> tuple[float, ...]:
        """Every instant at which the solution or its rate jumps; steps land on all of them."""
        doses = (float(day) for drug in self.drugs for day in drug.days)
        kills = {*(kill.day for kill in self.instants), *(kill.day for kill in self.fields)}
        others = {*(resection.day for resection in self.resections), *(change.day for change in self.changes)}
        return tuple(sorted({*doses, *kills, *others}))

    def flow(self, start: float, end: float) -> Moebius:
        """The map from ``start`` to just before ``end``: events at ``start`` are in, events at ``end`` are not."""
        inner = [day for day in self.event_days if start < day < end]
        total = self.identity()
        for left, right in zip([start, *inner], [*inner, end], strict=True):
            for kill in self.instants:
                if kill.day == left:
                    total = total.then(self._instant(kill))
            total = total.then(self._smooth(left, right))
        return total

    def identity(self) -> Moebius:
        """The map that changes nothing."""
        return Moebius.identity(self.members, self.parameters)

    def _instant(self, kill: InstantKill) -> Moebius:
        survival = np.exp(-kill.log_kill.value)
        zero = np.zeros((self.members, self.parameters))
        return Moebius(survival, np.zeros(self.members), -survival[:, None] * kill.log_kill.derivative, zero)

    def _smooth(self, start: float, end: float) -> Moebius:
        """Logistic growth and drug kill with no event strictly inside; quadrature of J on graded panels."""
        active = active_drugs(self.drugs, start)
        total = self.identity()
        edges = panels(start, end, [drug.elimination_per_day for drug, _ in active])
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            total = total.then(self._panel(self.proliferation_from(start), right - left, left - start, active))
        return total

    def proliferation_from(self, day: float) -> Rate:
        """Proliferation from ``day`` on."""
        rates = [change.proliferation_per_day for change in self.changes if change.day <= day]
        return rates[-1] if rates else self.proliferation_per_day

    def _panel(self, rho: Rate, length: float, offset: float, active: list[tuple[Drug, float]]) -> Moebius:
        times = np.append(0.5 * length * (NODES + 1.0), length)
        exponent = rho.value[:, None] * times  # (E, nodes + 1)
        slope = rho.derivative[:, :, None] * times  # (E, P, nodes + 1)
        for drug, level in active:
            exposure = drug.exposure(level, offset, times)
            exponent = exponent - drug.sensitivity_per_day.value[:, None] * exposure
            slope = slope - drug.sensitivity_per_day.derivative[:, :, None] * exposure
        growth = np.exp(exponent)
        weights = 0.5 * length * WEIGHTS
        integral = growth[:, :-1] @ weights
        d_integral = (slope[:, :, :-1] * growth[:, None, :-1]) @ weights
        end = growth[:, -1]
        return Moebius(
            end,
            rho.value * integral,
            end[:, None] * slope[:, :, -1],
            rho.derivative * integral[:, None] + rho.value[:, None] * d_integral,
        )


def active_drugs(drugs: tuple[Drug, ...], day: float) -> list[tuple[Drug, float]]:
    """Those of which something is left just after ``day``, each with its relative concentration."""
    levels = [(drug, _concentration(drug, day)) for drug in drugs]
    return [(drug, level) for drug, level in levels if abs(level) > _GONE]


def _concentration(drug: Drug, day: float) -> float:
    """Relative concentration just after ``day``."""
    since = day - drug.days
    given = since >= 0
    return float(np.sum(drug.relative_doses[given] * np.exp(-drug.elimination_per_day * since[given])))


def panels(start: float, end: float, eliminations: list[float]) -> list[float]:
    """Edges of quadrature panels, fine where a drug still decays and growing towards where it is gone."""
    if not any(eliminations):
        return [start, end]
    width, edges = _PANEL_DECAYS / max(eliminations), [start]
    while edges[-1] + 1.5 * width < end:
        edges.append(edges[-1] + width)
        width *= 2.0
    return [*edges, end]
