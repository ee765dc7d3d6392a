"""Settings of a job that the panel shows by themselves: a capability adds its line here and its field to ``JobSpec``.

The panel makes a row of each in the section it names, keeps its value with the scene, and gives it to the job.
docs/panel.md has an example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from TumorTwinLib.jobs.regimen_choice import offered_regimens

# Sections of the panel.
SEGMENTATION, FORECAST, COMPARISON, ADVANCED = "segmentation", "forecast", "comparison", "advanced"


@dataclass(frozen=True)
class Flag:
    """On or off."""

    default: bool = False


@dataclass(frozen=True)
class Number:
    """A number within limits; whole without decimals."""

    default: float
    minimum: float
    maximum: float
    decimals: int = 0
    unit: str = ""


@dataclass(frozen=True)
class Choices:
    """Any number of things from a list.

    Args:
        offered: called with the name of the cancer, gives names and titles.
    """

    offered: Callable[[str], dict[str, str]]
    default: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobOption:
    """One setting.

    Args:
        field: of ``JobSpec``. A number without decimals is given as int, choices as a tuple of names.
        title: what the panel calls it.
        description: one sentence for the tooltip.
        section: where it is shown.
        kind: what values it has.
    """

    field: str
    title: str
    description: str
    section: str
    kind: Flag | Number | Choices

    def valid(self, value: Any) -> Any:
        """The value as the job takes it; the default for one that this kind cannot have, as of an older scene."""
        kind = self.kind
        if isinstance(kind, Flag):
            return value if isinstance(value, bool) else kind.default
        if isinstance(kind, Choices):
            return tuple(map(str, value)) if isinstance(value, list | tuple) else kind.default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        number = min(max(value, kind.minimum), kind.maximum) if is_number else kind.default
        return round(number, kind.decimals) if kind.decimals else int(number)


JOB_OPTIONS = [
    JobOption(
        "bayesian", "With uncertainty",
        "Sample the posterior: intervals, maps of probability, and what the scans tell; takes some minutes more.",
        FORECAST, Flag(),
    ),
    JobOption(
        "n_samples", "Posterior draws", "Of a run with uncertainty: each is one run of the model.", ADVANCED,
        Number(1000, 100, 20000),
    ),
    JobOption(
        "n_futures", "Futures", "Of a run with uncertainty: draws that intervals and maps are made of.", ADVANCED,
        Number(128, 16, 1024),
    ),
    JobOption(
        "regimens", "Regimens", "To compare on the same draws of the posterior: tick two or more.", COMPARISON,
        Choices(offered_regimens),
    ),
    JobOption(
        "comparison_draws", "Draws compared", "Of the posterior, run under every regimen: 64 to 128.", COMPARISON,
        Number(64, 16, 1024),
    ),
    JobOption(
        "target_margin_mm", "Target margin", "Around the last outline of the tumor, for radiotherapy.", COMPARISON,
        Number(20.0, 0.0, 60.0, 1, "mm"),
    ),
    JobOption(
        "seed", "Random seed", "Of everything random in a run; the same seed gives the same result.", ADVANCED,
        Number(0, 0, 2**31 - 1),
    ),
]  # fmt: skip
