"""What may be written in ``Annotated[...]`` of a parameter: defaults, limits, choices, how a widget shows it."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any


class Validator:
    """Base of checks; `validate` raises for values that may not be set."""

    def validate(self, value: Any) -> None:
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


@dataclasses.dataclass(frozen=True)
class IsInstance(Validator):
    classtype: Any

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type {self.classtype}, is of type {type(value)}")


@dataclasses.dataclass(frozen=True)
class Minimum(Validator):
    minimum: float

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


@dataclasses.dataclass(frozen=True)
class Maximum(Validator):
    maximum: float

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


@dataclasses.dataclass(frozen=True)
class WithinRange(Validator):
    minimum: float
    maximum: float

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class Choice(Validator):
    def __init__(self, choices: Iterable) -> None:
        self.choices = list(choices)

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


class Exclude(Validator):
    def __init__(self, excludedValues: Iterable) -> None:
        self.excludedValues = list(excludedValues)

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value must not be one of {self.excludedValues}, is {value!r}")


class Default:
    """``Default(value)``, or ``Default(generator=f)`` for a new value each time."""

    def __init__(self, value: Any = None, *, generator: Callable | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclasses.dataclass(frozen=True)
class Decimals:
    value: int


@dataclasses.dataclass(frozen=True)
class SingleStep:
    value: float


@dataclasses.dataclass
class FloatRange:
    """The value of a ctkRangeWidget."""

    minimum: float = 0.0
    maximum: float = 0.0


def split_annotations(hint: Any) -> tuple[Any, list]:
    """A type without its annotations, and they."""
    if typing.get_origin(hint) is typing.Annotated:
        base, *annotations = typing.get_args(hint)
        return base, annotations
    return hint, []


def first_annotation(hint: Any, kind: type) -> Any:
    return next((one for one in split_annotations(hint)[1] if isinstance(one, kind)), None)


def base_type(hint: Any) -> Any:
    return split_annotations(hint)[0]


def union_members(hint: Any) -> tuple | None:
    """Types of a Union or an Optional without None, else None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(member for member in typing.get_args(hint) if member is not type(None))
    return None


def is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)
