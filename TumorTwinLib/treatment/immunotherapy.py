"""EXPLORATORY: tumor and effector cells under a checkpoint inhibitor. Not identifiable from scans; no forecast uses it.

    dE/dt = s + p E T / (g + T) - m E T - d E
    dT/dt = a T (1 - b T) - n (1 + epsilon C / (C + C50)) E T

Effector cells E and tumor cells T of Kuznetsov (Bull Math Biol 1994); the drug of concentration C, in mg per l of
plasma, multiplies the kill by up to ``1 + epsilon`` [proposal]. Without drug, immune cells and tumor, E rests at s / d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.drugs import find_drug
from TumorTwinLib.treatment.pharmacokinetics import Administration, Decay, concentration

EXPLORATORY = "Exploratory: an immune response cannot be told from two scans; do not compare regimens by it."


@dataclass(frozen=True)
class ImmuneParameters:
    """Kuznetsov's values for a mouse lymphoma; cells and days.

    Args:
        supply: s, effector cells a day.
        recruitment: p, 1/day; half_recruitment: g, tumor cells.
        exhaustion: m, 1/day per tumor cell.
        effector_death: d, 1/day.
        growth: a, 1/day; crowding: b, 1 over the carrying capacity in cells.
        kill: n, 1/day per effector cell.
        drug_gain: epsilon; drug_half_mg_per_l: C50.
    """

    supply: float = 1.3e4
    recruitment: float = 0.1245
    half_recruitment: float = 2.019e7
    exhaustion: float = 3.422e-10
    effector_death: float = 0.0412
    growth: float = 0.18
    crowding: float = 2.0e-9
    kill: float = 1.101e-7
    drug_gain: float = 1.0
    drug_half_mg_per_l: float = 1.0


@dataclass(frozen=True, eq=False)
class ImmuneCourse:
    """Effector and tumor cells, (n,) each, on ``days``. ``note`` goes wherever the numbers go."""

    days: np.ndarray
    effector_cells: np.ndarray
    tumor_cells: np.ndarray
    note: str = EXPLORATORY


def plasma_level(doses_mg: Sequence[tuple[float, float]], drug: str = "pembrolizumab") -> tuple[Decay, ...]:
    """Concentration in mg/l of a drug whose compartments are known, given as (day, mg).

    Raises:
        TumorTwinError: a drug without compartments in ``drugs.DRUGS``.
    """
    known = find_drug(drug)
    if known is None or known.compartments is None:
        raise TumorTwinError(f"The compartments of {drug} are not known: use pembrolizumab.")
    volume_l = known.compartments.volumes_l[0]
    return known.disposition.decays(Administration(day, mg / volume_l) for day, mg in doses_mg)


def simulate(
    tumor_cells: float,
    effector_cells: float,
    days: Sequence[float],
    drug_levels: Sequence[Decay] = (),
    parameters: ImmuneParameters | None = None,
) -> ImmuneCourse:
    """Solve from ``days[0]``, stopping at every dose.

    Raises:
        TumorTwinError: cells that are negative, or days that do not increase.
    """
    from scipy.integrate import solve_ivp

    q = parameters or ImmuneParameters()
    times = np.asarray(days, dtype=float)
    if not (min(tumor_cells, effector_cells) >= 0 and times.size > 1 and (np.diff(times) > 0).all()):
        raise TumorTwinError("Give cell counts that are not negative and at least two days in increasing order.")

    def slope(day: float, state: np.ndarray) -> list[float]:
        e, t = state
        level = max(concentration(drug_levels, day), 0.0)
        gain = 1.0 + q.drug_gain * level / (level + q.drug_half_mg_per_l)
        de = q.supply + q.recruitment * e * t / (q.half_recruitment + t) - q.exhaustion * e * t - q.effector_death * e
        return [de, q.growth * t * (1.0 - q.crowding * t) - q.kill * gain * e * t]

    doses = {float(day) for part in drug_levels for day in part.days if times[0] < day < times[-1]}
    stops = sorted({*times.tolist(), *doses})
    states = {stops[0]: np.array([effector_cells, tumor_cells], dtype=float)}
    for left, right in zip(stops[:-1], stops[1:], strict=True):
        just_before = float(np.nextafter(right, left))  # a dose on the right edge belongs to the next stretch
        piece = solve_ivp(slope, (left, just_before), states[left], method="LSODA", rtol=1e-9, atol=1e-3)
        states[right] = piece.y[:, -1]
    found = np.array([states[day] for day in times.tolist()])
    return ImmuneCourse(times, found[:, 0], found[:, 1])
