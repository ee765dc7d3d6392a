"""How a value of each type is kept in a vtkMRMLScriptedModuleNode, and so in a saved scene.

Text parameters hold numbers, texts, truths, paths and names of enumeration members; node references hold nodes.
Containers keep one entry an item under ``name_0``, ``name_1``... and write themselves back when they are changed.
"""

from __future__ import annotations

import json
import pathlib
import typing
from collections.abc import Callable, MutableMapping, MutableSequence
from typing import Any

import slicer

from Testing.host.parameter_nodes.annotations import (
    FloatRange,
    IsInstance,
    NotNone,
    Validator,
    is_enum,
    split_annotations,
    union_members,
)
from Testing.host.parameter_nodes.packs import is_pack, pack_members, watched_pack


class Storage:
    """Reads and writes values of one type under a name of a parameter node.

    Args:
        default: of a parameter without a value of its own.
        write, read: of (node, name, value) and (node, name).
        checks: every value must pass.
    """

    def __init__(self, default: Callable[[], Any], write: Callable, read: Callable, checks: list[Validator]) -> None:
        self.default = default
        self._write = write
        self.read = read
        self.checks = checks

    def write(self, node, name: str, value: Any) -> None:
        for check in self.checks:
            check.validate(value)
        with slicer.util.NodeModify(node):
            self._write(node, name, value)

    @staticmethod
    def is_in(node, name: str) -> bool:
        return any(one == name or one.startswith((f"{name}_", f"{name}.")) for one in node.GetParameterNames())


def storage_of(hint: Any) -> Storage:
    """The storage of a possibly annotated type.

    Raises:
        TypeError: parameters cannot have this type.
    """
    kind, annotations = split_annotations(hint)
    storage = _storage(kind)
    storage.checks.extend(one for one in annotations if isinstance(one, Validator))
    return storage


def _storage(kind: Any) -> Storage:
    if kind in (int, float):
        return _text_storage(kind, kind, (int, float) if kind is float else int)
    if kind is str:
        return _text_storage(str, str, str)
    if kind is bool:
        return _text_storage(bool, lambda text: text == "True", bool)
    if isinstance(kind, type) and issubclass(kind, pathlib.PurePath):
        return _text_storage(kind, kind, kind)
    if is_enum(kind):
        return Storage(lambda: next(iter(kind)), _write_enum, _enum_reader(kind), [NotNone(), IsInstance(kind)])
    if kind is FloatRange:
        return Storage(FloatRange, _write_range, _read_range, [NotNone(), IsInstance(kind)])
    if is_pack(kind):
        return _pack_storage(kind)
    members = union_members(kind) or (kind,)
    if all(isinstance(one, type) and issubclass(one, slicer.vtkMRMLNode) for one in members):
        return Storage(lambda: None, _write_node, lambda node, name: node.GetNodeReference(name), [IsInstance(members)])
    container = typing.get_origin(kind)
    if container in (list, tuple, dict):
        make = {list: _list_storage, tuple: _tuple_storage, dict: _dict_storage}[container]
        return make(*typing.get_args(kind))
    raise TypeError(f"A parameter cannot be of type {kind}")


def _text_storage(default: Callable, read: Callable[[str], Any], accepted: Any) -> Storage:
    return Storage(
        default,
        lambda node, name, value: node.SetParameter(name, str(value)),
        lambda node, name: read(node.GetParameter(name)),
        [NotNone(), IsInstance(accepted)],
    )


def _write_enum(node, name: str, value: Any) -> None:
    node.SetParameter(name, value.name)


def _enum_reader(kind: Any) -> Callable:
    return lambda node, name: kind[node.GetParameter(name)]


def _write_range(node, name: str, value: FloatRange) -> None:
    node.SetParameter(name, json.dumps([value.minimum, value.maximum]))


def _read_range(node, name: str) -> FloatRange:
    return FloatRange(*json.loads(node.GetParameter(name)))


def _write_node(node, name: str, value: Any) -> None:
    node.SetParameter(name, "")  # or "no node" and "never set" would look the same
    node.SetNodeReferenceID(name, value.GetID() if value is not None else None)


def _remove(node, name: str) -> None:
    """Forget a container's items."""
    for one in node.GetParameterNames():
        if one == name or one.startswith((f"{name}_", f"{name}.")):
            node.UnsetParameter(one)
            node.RemoveNodeReferenceIDs(one)


def _pack_storage(kind: type) -> Storage:
    members = {name: storage_of(hint) for name, hint in pack_members(kind).items()}

    def write(node, name: str, value: Any) -> None:
        for member, storage in members.items():
            storage.write(node, f"{name}.{member}", getattr(value, member))

    def read(node, name: str) -> Any:
        values = {member: storage.read(node, f"{name}.{member}") for member, storage in members.items()}
        return watched_pack(kind, values, lambda pack: write(node, name, pack))

    return Storage(kind, write, read, [NotNone(), IsInstance(kind)])


def _list_storage(item: Any) -> Storage:
    items = storage_of(item)

    def write(node, name: str, values: Any) -> None:
        values = list(values)
        _remove(node, name)
        node.SetParameter(f"{name}_len", str(len(values)))
        for index, value in enumerate(values):
            items.write(node, f"{name}_{index}", value)

    def read_plain(node, name: str) -> list:
        return [items.read(node, f"{name}_{index}") for index in range(int(node.GetParameter(f"{name}_len") or 0))]

    def read(node, name: str) -> WatchedList:
        return WatchedList(read_plain(node, name), lambda values: write(node, name, values))

    return Storage(list, write, read, [NotNone(), IsInstance((list, WatchedList))])


def _tuple_storage(*hints: Any) -> Storage:
    items = [storage_of(hint) for hint in hints]

    def write(node, name: str, values: tuple) -> None:
        if len(values) != len(items):
            raise ValueError(f"The tuple {name} must have {len(items)} items, has {len(values)}")
        for index, (storage, value) in enumerate(zip(items, values, strict=True)):
            storage.write(node, f"{name}_{index}", value)

    def read(node, name: str) -> tuple:
        return tuple(storage.read(node, f"{name}_{index}") for index, storage in enumerate(items))

    return Storage(lambda: tuple(item.default() for item in items), write, read, [NotNone(), IsInstance(tuple)])


def _dict_storage(key: Any, value: Any) -> Storage:
    keys, values = _list_storage(key), _list_storage(value)

    def write(node, name: str, mapping: Any) -> None:
        keys.write(node, f"{name}_keys", list(mapping))
        values.write(node, f"{name}_values", list(mapping.values()))

    def read(node, name: str) -> WatchedDict:
        stored = dict(zip(keys.read(node, f"{name}_keys"), values.read(node, f"{name}_values"), strict=True))
        return WatchedDict(stored, lambda mapping: write(node, name, mapping))

    return Storage(dict, write, read, [NotNone(), IsInstance((dict, WatchedDict))])


class WatchedList(MutableSequence):
    """Not a list, as in Slicer: it can be changed in place, but not added to another."""

    def __init__(self, values: list, save: Callable[[list], None]) -> None:
        self._values = values
        self._save = save

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index):
        return self._values[index]

    def __setitem__(self, index, value) -> None:
        self._values[index] = value
        self._save(self._values)

    def __delitem__(self, index) -> None:
        del self._values[index]
        self._save(self._values)

    def insert(self, index: int, value: Any) -> None:
        self._values.insert(index, value)
        self._save(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, WatchedList) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ObservedList({self._values})"


class WatchedDict(MutableMapping):
    """Not a dict, as in Slicer."""

    def __init__(self, values: dict, save: Callable[[dict], None]) -> None:
        self._values = values
        self._save = save

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self):
        return iter(self._values)

    def __getitem__(self, key):
        return self._values[key]

    def __setitem__(self, key, value) -> None:
        self._values[key] = value
        self._save(self._values)

    def __delitem__(self, key) -> None:
        del self._values[key]
        self._save(self._values)

    def __eq__(self, other: object) -> bool:
        return self._values == (other._values if isinstance(other, WatchedDict) else other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ObservedDict({self._values})"
