"""Parameters as a model declares them, and values of them as calibration returns them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from TumorTwinLib.errors import TumorTwinError


@dataclass(frozen=True)
class Parameter:
    """One positive model parameter with a lognormal prior.

    Args:
        name: as users and tables write it, with the unit in it.
        symbol: in the model's equation.
        unit: as tables show it.
        median, log_sd: of the prior; 95 % of it lies within ``median * exp(+-1.96 log_sd)``.
        lower, upper: bounds no fit may cross.
        description: what it means, in one phrase.
        source: where the prior comes from.
    """

    name: str
    symbol: str
    unit: str
    median: float
    log_sd: float
    lower: float
    upper: float
    description: str
    source: str


class ParameterValues(Mapping[str, float]):
    """Parameter values by name, checked against a model's declaration. Immutable.

    Args:
        declared: the model's parameters.
        values: by name; a parameter not named keeps its prior median.

    Raises:
        TumorTwinError: an unknown name, or a value that is not positive and finite.
    """

    def __init__(self, declared: tuple[Parameter, ...], values: Mapping[str, float] | None = None) -> None:
        given = dict(values or {})
        names = [parameter.name for parameter in declared]
        unknown = sorted(set(given) - set(names))
        if unknown:
            raise TumorTwinError(f"Unknown parameter {unknown[0]!r}: choose from {', '.join(names)}.")
        for name, value in given.items():
            if not (math.isfinite(value) and value >= 0):
                raise TumorTwinError(f"Parameter {name} is {value}: give a finite value that is not negative.")
        self.declared = declared
        self._values = {p.name: float(given.get(p.name, p.median)) for p in declared}

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        rows = ", ".join(f"{p.name}={self[p.name]:.4g}" for p in self.declared)
        return f"ParameterValues({rows})"
