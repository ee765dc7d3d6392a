"""What a model of one population may add: cells that a drug does not kill, and dead cells that scans still show."""

from __future__ import annotations

import math
from dataclasses import replace

from TumorTwinLib.models.parameters import Parameter
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.physics.reaction import LogisticReaction, Rate

RESISTANT_FRACTION = Parameter(
    name="resistant_fraction",
    symbol="f_R",
    unit="",
    median=0.01,
    log_sd=1.5,
    lower=1e-5,
    upper=0.5,
    description="share of cells at the first visit that the drug does not kill",
    source="proposal: a logit-normal about 1 %, wide",
)
CLEARANCE_HALF_LIFE = Parameter(
    name="clearance_half_life_days",
    symbol="t_clr",
    unit="day",
    median=14.0,
    log_sd=0.5,
    lower=2.0,
    upper=90.0,
    description="half-life of dead cells that scans still show",
    source="proposal: two weeks, factor 1.6 either way",
)


def split(
    reaction: LogisticReaction, *, resistant_fraction: Rate | None = None, clearance_half_life_days: Rate | None = None
) -> LogisticReaction | PopulationReaction:
    """The reaction of sensitive and resistant cells and their dead, from that of sensitive cells alone.

    Resistant cells are as sensitive to radiation as the others, and not at all to drugs.

    Args:
        resistant_fraction: in the first state, or None for one population.
        clearance_half_life_days: or None to see living cells only.
    """
    if resistant_fraction is None and clearance_half_life_days is None:
        return reaction
    one = Rate.constant(1.0, reaction.members, reaction.parameters)
    populations: tuple[LogisticReaction, ...] = (reaction,)
    shares: tuple[Rate, ...] = (one,)
    if resistant_fraction is not None:
        populations = (reaction, replace(reaction, drugs=()))
        rest = Rate(1.0 - resistant_fraction.value, -resistant_fraction.derivative)
        shares = (rest, resistant_fraction)
    clearance = None
    if clearance_half_life_days is not None:
        k = math.log(2) / clearance_half_life_days.value
        clearance = Rate(k, -(k / clearance_half_life_days.value)[:, None] * clearance_half_life_days.derivative)
    return PopulationReaction(populations, shares, clearance)
