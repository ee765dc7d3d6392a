"""Priors: what is known of a parameter before its scans, as functions of a standard normal variable."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.models.parameters import Parameter

_FARTHEST = 8.0  # standard deviations; beyond, the normal distribution function is 0 or 1 in float64


class PriorKind(enum.Enum):
    """A family of distributions, with what its two numbers mean."""

    LOGNORMAL = "lognormal"  # median, standard deviation of the logarithm
    NORMAL = "normal"  # mean, standard deviation
    UNIFORM = "uniform"  # lower, upper
    BETA = "beta"  # a, b
    LOGIT_NORMAL = "logit_normal"  # median, standard deviation of the log-odds


@dataclass(frozen=True)
class Prior:
    """One parameter's prior, a monotonic function of a standard normal z.

    Args:
        kind, first, second: the family and its two numbers, see ``PriorKind``.
        unit, source: as tables show them.

    Raises:
        TumorTwinError: numbers that make no distribution.
    """

    kind: PriorKind
    first: float
    second: float
    unit: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        a, b = self.first, self.second
        proper = {
            PriorKind.LOGNORMAL: a > 0 and b > 0,
            PriorKind.NORMAL: b > 0,
            PriorKind.UNIFORM: a < b,
            PriorKind.BETA: a > 0 and b > 0,
            PriorKind.LOGIT_NORMAL: 0 < a < 1 and b > 0,
        }
        if not (math.isfinite(a) and math.isfinite(b) and proper[self.kind]):
            raise TumorTwinError(f"{self.kind.value} with {a:g} and {b:g} is no distribution: check the prior.")

    def value(self, z: np.ndarray | float) -> np.ndarray:
        """The parameter at standard normal ``z``, any shape."""
        from scipy.special import betaincinv, expit, ndtr

        z = np.clip(np.asarray(z, dtype=float), -_FARTHEST, _FARTHEST)
        if self.kind is PriorKind.LOGNORMAL:
            return np.asarray(self.first * np.exp(self.second * z))
        if self.kind is PriorKind.NORMAL:
            return np.asarray(self.first + self.second * z)
        if self.kind is PriorKind.UNIFORM:
            return self.first + (self.second - self.first) * np.asarray(ndtr(z))
        if self.kind is PriorKind.LOGIT_NORMAL:
            return np.asarray(expit(math.log(self.first / (1.0 - self.first)) + self.second * z))
        return np.asarray(betaincinv(self.first, self.second, ndtr(z)))

    def slope(self, z: np.ndarray | float) -> np.ndarray:
        """d value / d z."""
        z = np.asarray(z, dtype=float)
        x = self.value(z)
        if self.kind is PriorKind.LOGNORMAL:
            return self.second * x
        if self.kind is PriorKind.NORMAL:
            return np.full_like(z, self.second)
        if self.kind is PriorKind.LOGIT_NORMAL:
            return self.second * x * (1.0 - x)
        return np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi) / self._density(x)

    def z_of(self, value: float) -> float:
        """The inverse of ``value``."""
        from scipy.special import betainc, logit, ndtri

        if self.kind is PriorKind.LOGNORMAL:
            return math.log(value / self.first) / self.second
        if self.kind is PriorKind.NORMAL:
            return (value - self.first) / self.second
        if self.kind is PriorKind.LOGIT_NORMAL:
            return float((logit(value) - logit(self.first)) / self.second)
        if self.kind is PriorKind.UNIFORM:
            return float(ndtri((value - self.first) / (self.second - self.first)))
        return float(ndtri(betainc(self.first, self.second, value)))

    @property
    def median(self) -> float:
        return float(self.value(0.0))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Central interval of this probability."""
        from scipy.special import ndtri

        z = float(ndtri(0.5 + 0.5 * level))
        return float(self.value(-z)), float(self.value(z))

    def _density(self, x: np.ndarray) -> np.ndarray:
        """Of the families that are defined on an interval through their distribution function."""
        from scipy.special import betaln

        if self.kind is PriorKind.UNIFORM:
            return np.full_like(x, 1.0 / (self.second - self.first))
        log = (self.first - 1.0) * np.log(x) + (self.second - 1.0) * np.log1p(-x) - betaln(self.first, self.second)
        return np.exp(log)


def default_prior(parameter: Parameter) -> Prior:
    """The lognormal prior a model declares."""
    return Prior(PriorKind.LOGNORMAL, parameter.median, parameter.log_sd, parameter.unit, parameter.source)


def find_priors(
    declared: Sequence[Parameter], chosen: Mapping[str, Prior | Sequence] | None = None
) -> dict[str, Prior]:
    """The prior of every declared parameter: the model's own, or the one chosen.

    Args:
        chosen: by parameter name, or by the beginning of one that names one parameter only (``"diffusion"`` and
            ``"diffusivity"`` name ``diffusivity_mm2_per_day``); a ``Prior`` or a tuple such as
            ``("lognormal", median, log_sd)``.

    Raises:
        TumorTwinError: an unknown name or family, or numbers that make no distribution.
    """
    priors = {parameter.name: default_prior(parameter) for parameter in declared}
    for key, given in (chosen or {}).items():
        name = full_name(declared, key)
        unit = next(p.unit for p in declared if p.name == name)
        priors[name] = given if isinstance(given, Prior) else _of_tuple(name, given, unit)
    return priors


_STEM = 7  # letters: "diffusion" and "diffusivity" agree in these


def full_name(declared: Sequence[Parameter], key: str) -> str:
    """The declared name that ``key`` stands for: itself, or the only one with the same beginning."""
    names = [parameter.name for parameter in declared]
    if key in names:
        return key
    alike = [name for name in names if len(key) >= 3 and name.startswith(key[:_STEM])]
    if len(alike) != 1:
        raise TumorTwinError(f"Unknown parameter {key!r}: choose from {', '.join(names)}.")
    return alike[0]


def _of_tuple(name: str, given: Sequence, unit: str) -> Prior:
    try:
        family, first, second = given
        kind = PriorKind(str(family).replace("-", "_"))
        return Prior(kind, float(first), float(second), unit, "given by the user")
    except (TypeError, ValueError):
        families = ", ".join(kind.value for kind in PriorKind)
        raise TumorTwinError(
            f"The prior of {name} is {given!r}: give a family ({families}) and its two numbers, "
            'such as ("lognormal", median, log_sd).'
        ) from None
