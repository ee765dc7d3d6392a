"""``@parameterPack``: typed values that belong together."""

from __future__ import annotations

import copy
import typing
from collections.abc import Callable
from typing import Any

from Testing.host.parameter_nodes.annotations import Default, Validator, first_annotation, split_annotations

_SAVE = "_save_to_parameter_node"


def parameterPack(cls: type | None = None):
    """Class decorator: attributes are checked, constructor, comparison and text are made where the class has none."""
    return _process if cls is None else _process(cls)


def is_pack(kind: Any) -> bool:
    return isinstance(kind, type) and hasattr(kind, "_pack_members")


def pack_members(kind: Any) -> dict[str, Any]:
    """Annotated types by member name."""
    return kind._pack_members


def watched_pack(kind: type, values: dict[str, Any], save: Callable[[Any], None]) -> Any:
    """A pack that is written to its parameter node whenever a member is set."""
    pack = kind.__new__(kind)
    for name, value in values.items():
        if is_pack(type(value)):
            object.__setattr__(value, _SAVE, lambda _inner: save(pack))
        object.__setattr__(pack, name, value)
    object.__setattr__(pack, _SAVE, save)
    return pack


def _process(cls: type) -> type:
    members = typing.get_type_hints(cls, include_extras=True)
    defaults = {name: _default(cls, name, hint) for name, hint in members.items()}
    cls._pack_members = members

    def new(kind, *_arguments, **_values):
        pack = object.__new__(kind)
        for name in members:
            object.__setattr__(pack, name, defaults[name]())
        return pack

    def init(self, *arguments, **values) -> None:
        if len(arguments) > len(members):
            raise ValueError(f"{cls.__name__} has {len(members)} members, {len(arguments)} values were given")
        for name, value in {**dict(zip(members, arguments, strict=False)), **values}.items():
            if name not in members:
                raise ValueError(f"{cls.__name__} has no member {name}")
            setattr(self, name, value)

    def set_attribute(self, name: str, value: Any) -> None:
        for check in split_annotations(members.get(name))[1]:
            if isinstance(check, Validator):
                check.validate(value)
        object.__setattr__(self, name, value)
        if name in members and _SAVE in self.__dict__:
            self.__dict__[_SAVE](self)

    def equal(self, other: object) -> bool:
        return type(self) is type(other) and all(getattr(self, name) == getattr(other, name) for name in members)

    def text(self) -> str:
        return f"{cls.__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in members)})"

    made = {"__init__": init, "__eq__": equal, "__repr__": text, "__str__": text}
    for name, method in made.items():
        if name not in cls.__dict__:
            setattr(cls, name, method)
    cls.__new__ = new
    cls.__setattr__ = set_attribute
    cls.dataType = staticmethod(lambda name: _data_type(cls, name))
    cls.getValue = _walk
    cls.setValue = lambda self, name, value: setattr(_walk(self, name.rpartition(".")[0]), name.split(".")[-1], value)
    return cls


def _default(cls: type, name: str, hint: Any) -> Callable[[], Any]:
    from Testing.host.parameter_nodes.storage import storage_of

    if name in cls.__dict__:
        value = cls.__dict__[name]
        delattr(cls, name)
        return lambda: copy.deepcopy(value)
    annotated = first_annotation(hint, Default)
    return (lambda: copy.deepcopy(annotated.value)) if annotated else storage_of(hint).default


def _data_type(cls: Any, name: str) -> Any:
    first, _, rest = name.partition(".")
    hint = pack_members(cls)[first]
    return _data_type(split_annotations(hint)[0], rest) if rest else hint


def _walk(pack: Any, name: str) -> Any:
    for part in filter(None, name.split(".")):
        pack = getattr(pack, part)
    return pack
