"""Cells of unlike sensitivity in one space, and dead cells that scans still show: the reaction, integrated exactly.

    du_i/dt = rho u_i (1 - sum_j u_j) - kappa_i(t) u_i          living populations
    dw/dt   = sum_i kappa_i u_i - k w                           dead, not yet cleared; it takes no space

With ``G_i = exp(rho t - int kappa_i)`` and ``J_i = int G_i``, over a stretch of time

    u_i -> a_i u_i / (1 + sum_j b_j u_j),   a_i = G_i,   b_j = rho J_j,

which is closed under composition as the one of a single population is (``reaction``), with instantaneous kills
``a_i = S_i``. What dies at one instant, and what dies within a panel of quadrature, both are sums of terms
``sum_i c_i u_i / (1 + sum_j b_j u_j)`` of the state at the beginning: w receives these, each decayed to the end.

In the solver every population, and the dead, is one more member of the ensemble: diffusion treats them all alike, with
no diffusivity for the dead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.physics.reaction import (
    NODES,
    WEIGHTS,
    Drug,
    FieldKill,
    GrowthChange,
    LogisticReaction,
    Rate,
    Resection,
    active_drugs,
    panels,
)

_CROWDING_NODES = 5  # within a panel crowding changes slowly: 5 nodes interpolate it to 1e-8
_KNOTS = np.polynomial.legendre.leggauss(_CROWDING_NODES)[0]
_SILENT = 1e-12  # share of the cells whose death counts as none


def _integral_to_knots() -> np.ndarray:
    """(knots, nodes) integral from -1 to each knot of the polynomial through values at the nodes."""
    legendre = np.polynomial.legendre
    order = len(NODES)
    values = legendre.legvander(_KNOTS, order)
    integrals = np.empty((len(_KNOTS), order))
    integrals[:, 0] = _KNOTS + 1.0
    for n in range(1, order):
        integrals[:, n] = (values[:, n + 1] - values[:, n - 1]) / (2 * n + 1)
    return integrals @ np.linalg.inv(legendre.legvander(NODES, order - 1))


def _shares_of_knots() -> np.ndarray:
    """(nodes, knots) value at each node of the polynomial that is 1 at one knot and 0 at the others."""
    legendre = np.polynomial.legendre
    last = len(_KNOTS) - 1
    return legendre.legvander(NODES, last) @ np.linalg.inv(legendre.legvander(_KNOTS, last))


_TO_KNOTS, _OF_KNOTS = _integral_to_knots(), _shares_of_knots()


@dataclass(frozen=True)
class Deaths:
    """One term of what died: ``sum_i c_i u_i / (1 + sum_j b_j u_j)``; (E, n) each, (E, n, P) their derivatives."""

    c: np.ndarray
    b: np.ndarray
    dc: np.ndarray
    db: np.ndarray


@dataclass(frozen=True)
class PopulationFlow:
    """``u_i -> a_i u_i / (1 + sum_j b_j u_j)`` and ``w -> keep w + deaths(u)``, with derivatives.

    Args:
        a, b: (E, n); da, db: (E, n, P).
        keep: (E,) and d_keep: (E, P), or None without a dead compartment.
        deaths: decayed to the end.
    """

    a: np.ndarray
    b: np.ndarray
    da: np.ndarray
    db: np.ndarray
    keep: Rate | None
    deaths: tuple[Deaths, ...]

    def apply(self, u) -> None:
        """In place on (E C, 1 + P, X, Y, Z): the populations of a member, then its dead."""
        members, living = self.a.shape
        channels = living + (self.keep is not None)
        for member in range(members):
            rows = u[member * channels : (member + 1) * channels]
            before = rows[:living]
            if self.keep is not None:
                dead = rows[living]
                keep = float(self.keep.value[member])
                for p, slope in enumerate(self.keep.derivative[member], start=1):
                    dead[p] *= keep
                    dead[p] += float(slope) * dead[0]
                dead[0] *= keep
                for term in self.deaths:
                    if np.abs(term.c[member]).max() > _SILENT:
                        c, b, dc, db = (x[member] for x in (term.c, term.b, term.dc, term.db))
                        died = _fraction(before, c, b, dc, db)
                        for p, share in enumerate(died):
                            dead[p] += share
            a, b, da, db = (x[member] for x in (self.a, self.b, self.da, self.db))
            eye = np.eye(living)
            after = [list(_fraction(before, a * eye[i], b, da * eye[i][:, None], db)) for i in range(living)]
            for i, fields in enumerate(after):
                for p, values in enumerate(fields):
                    rows[i][p] = values


def _fraction(u, c: np.ndarray, b: np.ndarray, dc: np.ndarray, db: np.ndarray) -> Iterator:
    """``sum_i c_i u_i / (1 + sum_j b_j u_j)`` and its tangents, field by field.

    Args:
        u: (n, 1 + P, X, Y, Z).
        c, b: (n,); dc, db: (n, P).
    """
    share = 1.0 / (1.0 + sum(float(b_j) * u_j[0] for b_j, u_j in zip(b, u, strict=True)))
    value = share * sum(float(c_i) * u_i[0] for c_i, u_i in zip(c, u, strict=True))
    yield value
    for p in range(1, u.shape[1]):
        # d(N / M) = (dN - (N / M) dM) / M
        top = sum(float(dc_i) * u_i[0] + float(c_i) * u_i[p] for dc_i, c_i, u_i in zip(dc[:, p - 1], c, u, strict=True))
        low = sum(float(db_j) * u_j[0] + float(b_j) * u_j[p] for db_j, b_j, u_j in zip(db[:, p - 1], b, u, strict=True))
        yield share * (top - value * low)


@dataclass(frozen=True)
class PopulationReaction:
    """All that acts on several populations and their dead, except diffusion. ``solve`` takes it as any reaction.

    Outputs of the solver are what a scan shows: living cells of all populations and, with a clearance, the dead.

    Args:
        populations: what acts on each. All grow at the same rate, with the same resections; the maps of their field
            kills are those of the first, each population with its own coefficient.
        shares: of each population in the first state; they sum to 1.
        clearance_per_day: k, or None to see living cells only.
        changes: of the growth of all.

    Raises:
        TumorTwinError: populations that differ in what they must share, or shares that do not sum to 1.
    """

    populations: tuple[LogisticReaction, ...]
    shares: tuple[Rate, ...]
    clearance_per_day: Rate | None = None
    changes: tuple[GrowthChange, ...] = ()

    def __post_init__(self) -> None:
        first = self.populations[0]
        for other in self.populations[1:]:
            if not (
                np.array_equal(other.proliferation_per_day.value, first.proliferation_per_day.value)
                and other.resections == first.resections
                and not (other.changes or first.changes)
                and [kill.day for kill in other.fields] == [kill.day for kill in first.fields]
            ):
                raise TumorTwinError(
                    "Populations of one tumor must share growth, its changes, resections and the days of dose maps."
                )
        if len(self.shares) != len(self.populations) or not np.allclose(sum(s.value for s in self.shares), 1.0):
            raise TumorTwinError("Give one share for each population, with a sum of 1.")

    @property
    def members(self) -> int:
        return self.populations[0].members

    @property
    def parameters(self) -> int:
        return self.populations[0].parameters

    @property
    def proliferation_per_day(self) -> Rate:
        return self.populations[0].proliferation_per_day

    @property
    def resections(self) -> tuple[Resection, ...]:
        return self.populations[0].resections

    @property
    def event_days(self) -> tuple[float, ...]:
        days = {day for population in self.populations for day in population.event_days}
        return tuple(sorted({*days, *(change.day for change in self.changes)}))

    def proliferation_from(self, day: float) -> Rate:
        """Growth from ``day`` on."""
        return replace(self.populations[0], changes=self.changes).proliferation_from(day)

    @property
    def living(self) -> int:
        """How many populations."""
        return len(self.populations)

    @property
    def channels(self) -> int:
        """Fields of one member: populations, and the dead where they are seen."""
        return self.living + (self.clearance_per_day is not None)

    @property
    def fields(self) -> tuple[FieldKill, ...]:
        """Field kills with a coefficient for every channel of every member; none for the dead."""
        nothing = Rate.constant(0.0, self.members, self.parameters)
        together = []
        for kills in zip(*(population.fields for population in self.populations), strict=True):
            coefficients = [kill.coefficient for kill in kills]
            together.append(FieldKill(kills[0].day, self._rows(coefficients, nothing), kills[0].exponent))
        return tuple(together)

    def diffusivities(self, diffusivity_mm2_per_day: Rate) -> Rate:
        """Of every channel: the dead stay where they died."""
        nothing = Rate.constant(0.0, self.members, self.parameters)
        return self._rows([diffusivity_mm2_per_day] * self.living, nothing)

    def _rows(self, rates: list[Rate], of_dead: Rate) -> Rate:
        """(E C,) and (E C, P): the channels of each member, one after the other."""
        rates = [*rates, of_dead][: self.channels]
        value = np.stack([rate.value for rate in rates], axis=1).reshape(-1)
        derivative = np.stack([rate.derivative for rate in rates], axis=1).reshape(len(value), self.parameters)
        return Rate(value, derivative)

    def spread(self, initial: np.ndarray) -> np.ndarray:
        """(E, 1 + P, ...) first state to (E C, 1 + P, ...): shares of it, and no dead."""
        rows = np.zeros((self.members, self.channels, *initial.shape[1:]), initial.dtype)
        for i, share in enumerate(self.shares):
            rows[:, i] = share.value.reshape(-1, *[1] * (initial.ndim - 1)) * initial
            slope = share.derivative.reshape(*share.derivative.shape, *[1] * (initial.ndim - 2))
            rows[:, i, 1:] += slope * initial[:, :1]
        return rows.reshape(-1, *initial.shape[1:])

    def flow(self, start: float, end: float) -> PopulationFlow:
        """From ``start`` to just before ``end``: events at ``start`` are in, events at ``end`` are not."""
        course = _Course(self, end)
        inner = [day for day in self.event_days if start < day < end]
        for left, right in zip([start, *inner], [*inner, end], strict=True):
            course.instants(left)
            course.smooth(left, right)
        keep = None if self.clearance_per_day is None else course.decay(start)
        return PopulationFlow(course.a, course.b, course.da, course.db, keep, tuple(course.deaths))


class _Course:
    """The flow from a start to where one has come, and what died on the way, decayed to the end."""

    def __init__(self, reaction: PopulationReaction, end: float) -> None:
        self.reaction, self.end = reaction, end
        shape = (reaction.members, reaction.living)
        self.a, self.b = np.ones(shape), np.zeros(shape)
        self.da, self.db = (np.zeros((*shape, reaction.parameters)) for _ in range(2))
        self.deaths: list[Deaths] = []

    def decay(self, day: float) -> Rate:
        """What is left at the end of what died on ``day``: (E,) and (E, P)."""
        k = self.reaction.clearance_per_day
        assert k is not None
        left = np.exp(-k.value * (self.end - day))
        return Rate(left, -(self.end - day) * left[:, None] * k.derivative)

    def instants(self, day: float) -> None:
        """Kills of this instant, one population after the other: they do not see each other."""
        log_kill = np.zeros_like(self.a)
        slope = np.zeros_like(self.da)
        for i, population in enumerate(self.reaction.populations):
            for kill in population.instants:
                if kill.day == day:
                    log_kill[:, i] += kill.log_kill.value
                    slope[:, i] += kill.log_kill.derivative
        if not log_kill.any():
            return
        survival = np.exp(-log_kill)
        d_survival = -survival[..., None] * slope
        if self.reaction.clearance_per_day is not None:
            left = self.decay(day)
            died = -np.expm1(-log_kill)
            c = left.value[:, None] * died * self.a
            dc = (
                left.derivative[:, None] * (died * self.a)[..., None]
                + left.value[:, None, None] * (died[..., None] * self.da - d_survival * self.a[..., None])
            )  # fmt: skip
            self.deaths.append(Deaths(c, self.b, dc, self.db))
        self.da = survival[..., None] * self.da + d_survival * self.a[..., None]
        self.a = survival * self.a

    def smooth(self, start: float, end: float) -> None:
        """Growth and drug kill with no event strictly inside."""
        active = [active_drugs(population.drugs, start) for population in self.reaction.populations]
        rates = [drug.elimination_per_day for drugs in active for drug, _ in drugs]
        rho = self.reaction.proliferation_from(start)
        edges = panels(start, end, rates)
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            self._panel(rho, left, right - left, left - start, active)

    def _panel(
        self, rho: Rate, left: float, length: float, offset: float, active: list[list[tuple[Drug, float]]]
    ) -> None:
        times = np.append(0.5 * length * (NODES + 1.0), length)
        new_a, new_b, new_da, new_db = self.a.copy(), self.b.copy(), self.da.copy(), self.db.copy()
        growths, slopes, kills, kill_slopes = [], [], [], []
        for drugs in active:
            exponent = rho.value[:, None] * times
            slope = rho.derivative[:, :, None] * times
            kill, kill_slope = np.zeros_like(exponent[:, :-1]), np.zeros_like(slope[..., :-1])
            for drug, level in drugs:
                here = drug.sensitivity_per_day
                exposure, concentration = drug.exposure(level, offset, times), drug.decay(level, offset, times[:-1])
                exponent = exponent - here.value[:, None] * exposure
                slope = slope - here.derivative[:, :, None] * exposure
                kill += here.value[:, None] * concentration
                kill_slope += here.derivative[:, :, None] * concentration
            growths.append(np.exp(exponent))
            slopes.append(slope)
            kills.append(kill)
            kill_slopes.append(kill_slope)
        half = 0.5 * length
        to_end = half * WEIGHTS
        for i, (growth, slope) in enumerate(zip(growths, slopes, strict=True)):
            area, d_area = growth[:, :-1] @ to_end, (slope[..., :-1] * growth[:, None, :-1]) @ to_end
            a, da = self.a[:, i], self.da[:, i]
            new_b[:, i] += rho.value * area * a
            new_db[:, i] += (
                (rho.derivative * area[:, None] + rho.value[:, None] * d_area) * a[:, None]
                + (rho.value * area)[:, None] * da
            )  # fmt: skip
            end = growth[:, -1]
            new_a[:, i] = end * a
            new_da[:, i] = end[:, None] * (da + slope[..., -1] * a[:, None])
        if self.reaction.clearance_per_day is not None and any(active):
            self._bury(rho, left, half, growths, slopes, kills, kill_slopes)
        self.a, self.b, self.da, self.db = new_a, new_b, new_da, new_db

    def _bury(self, rho: Rate, left: float, half: float, growths, slopes, kills, kill_slopes) -> None:
        """What dies within a panel: crowding interpolated between knots, everything else integrated at nodes."""
        k = self.reaction.clearance_per_day
        assert k is not None
        since = self.end - (left + half * (NODES + 1.0))  # from each node to the end
        decay = np.exp(-k.value[:, None] * since)
        shape = (_CROWDING_NODES, *self.a.shape)
        c, b = np.empty(shape), np.empty(shape)
        dc, db = (np.empty((*shape, self.reaction.parameters)) for _ in range(2))
        to_share = (half * WEIGHTS)[:, None] * _OF_KNOTS  # (nodes, knots)
        for i, (growth, slope, kill, kill_slope) in enumerate(zip(growths, slopes, kills, kill_slopes, strict=True)):
            inner, inner_slope = growth[:, :-1], slope[..., :-1]
            a, da = self.a[:, i], self.da[:, i]
            weight = decay * kill * inner
            d_weight = (
                (decay * inner)[:, None] * kill_slope
                + weight[:, None] * (inner_slope - since * k.derivative[:, :, None])
            )  # fmt: skip
            share, d_share = weight @ to_share, d_weight @ to_share  # (E, knots), (E, P, knots)
            c[:, :, i] = (share * a[:, None]).T
            dc[:, :, i] = (d_share * a[:, None, None] + share[:, None] * da[:, :, None]).transpose(2, 0, 1)
            area = half * inner @ _TO_KNOTS.T
            d_area = half * (inner_slope * inner[:, None]) @ _TO_KNOTS.T
            crowd = rho.value[:, None] * area
            d_crowd = rho.derivative[:, :, None] * area[:, None] + rho.value[:, None, None] * d_area
            b[:, :, i] = self.b[:, i] + (crowd * a[:, None]).T
            db[:, :, i] = self.db[:, i] + (d_crowd * a[:, None, None] + crowd[:, None] * da[:, :, None]).transpose(
                2, 0, 1
            )
        self.deaths.extend(Deaths(*terms) for terms in zip(c, b, dc, db, strict=True))
