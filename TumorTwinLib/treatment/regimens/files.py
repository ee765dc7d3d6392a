"""Regimen files: JSON, one a cancer, held to the schema below with one sentence for each fault.

::

    {"cancer": "glioblastoma",
     "regimens": [
       {"name": "stupp", "title": ..., "description": ..., "source": ...,
        "exploratory": false, "rule": {"biomarker": "PSA", "stop_below": 4, "resume_above": 10},     both optional
        "courses": [{"name": "rt", "kind": "radiotherapy", "total_gy": 60, "times": 30}, ...]}]}

The fields of a course are those of ``Course``, but radiotherapy is prescribed as usual: ``total_gy`` (and
``boost_total_gy``) in ``times`` days of ``per_day`` fractions. ``amounts`` may be one number. ``working_days`` is true
unless the file says false, as for drugs taken at home.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.treatment.dosing import PRESCRIBED_UNITS
from TumorTwinLib.treatment.drugs import DRUGS, find_drug
from TumorTwinLib.treatment.regimens.regimen import BiomarkerRule, Course, Regimen


@dataclass(frozen=True)
class _Field:
    """What a value must be: ``text``, ``flag``, ``whole`` or ``number``, ``list`` of whole numbers or ``numbers``."""

    type: str
    least: float = 0.0
    choices: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        if self.choices:
            return "one of " + ", ".join(self.choices)
        limit = f" of {self.least:g} or more"
        return {
            "text": "a text",
            "flag": "true or false",
            "whole": f"a whole number{limit}",
            "number": f"a number{limit}",
            "list": f"a list of whole numbers{limit}",
            "numbers": f"a number or a list of numbers{limit}",
        }[self.type]

    def holds(self, value: Any) -> bool:
        if self.type == "text":
            return isinstance(value, str) and bool(value.strip()) and (not self.choices or value in self.choices)
        if self.type == "flag":
            return isinstance(value, bool)
        if self.type in ("list", "numbers"):
            values = value if isinstance(value, list) else [value] if self.type == "numbers" else []
            return bool(values) and all(self._is_number(item, self.type == "list") for item in values)
        return self._is_number(value, self.type == "whole")

    def _is_number(self, value: Any, whole: bool) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            return False
        return math.isfinite(value) and value >= self.least


_TEXT, _POSITIVE = _Field("text"), _Field("number", least=1e-9)
_FILE = {"cancer": _TEXT}
_REGIMEN = {"name": _TEXT, "title": _TEXT, "description": _TEXT, "source": _TEXT}
_REGIMEN_MAY = {"exploratory": _Field("flag")}
_RULE = {"biomarker": _TEXT, "stop_below": _Field("number"), "resume_above": _Field("number")}
_COURSE = {"name": _TEXT, "kind": _Field("text", choices=("radiotherapy", "drug", "surgery"))}
_OF_KIND: dict[str, dict[str, _Field]] = {
    "radiotherapy": {"total_gy": _POSITIVE, "times": _Field("whole", least=1)},
    "drug": {"drug": _TEXT, "amounts": _Field("numbers", least=1e-9), "unit": _Field("text", choices=PRESCRIBED_UNITS)},
    "surgery": {},
}
_OF_KIND_MAY: dict[str, dict[str, _Field]] = {
    "radiotherapy": {
        "boost_total_gy": _POSITIVE,
        "per_day": _Field("whole", least=1),
        "hours_between": _POSITIVE,
    },
    "drug": {"infusion_hours": _Field("number")},
    "surgery": {"residual_fraction": _Field("number")},
}
_COURSE_MAY = {
    "start_day": _Field("whole", least=1),
    "after": _TEXT,
    "gap_days": _Field("whole", least=1),
    "during": _TEXT,
    "times": _Field("whole", least=1),
    "every_days": _Field("whole", least=1),
    "cycles": _Field("whole", least=1),
    "cycle_days": _Field("whole", least=1),
    "on_days": _Field("list", least=1),
    "working_days": _Field("flag"),
    "delay_hours": _Field("number"),
}


def read_regimens(path: str | Path) -> tuple[Regimen, ...]:
    """The regimens of one file.

    Raises:
        TumorTwinError: with one sentence naming the file, the regimen, the course and the field, and what to write.
    """
    path = Path(path)
    try:
        layout = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise TumorTwinError(f"{path} is no valid JSON at line {error.lineno}: correct it there.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise TumorTwinError(f"{path} cannot be read: save it as JSON text in UTF-8.") from error
    _check(layout, _FILE, {}, str(path), also=("regimens",))
    entries = _objects(layout, "regimens", str(path))
    regimens = tuple(_regimen(entry, layout["cancer"], path, number) for number, entry in enumerate(entries, start=1))
    _check_unique([regimen.name for regimen in regimens], "regimen", str(path))
    return regimens


def _regimen(entry: dict, cancer: str, path: Path, number: int) -> Regimen:
    where = f"{path} regimen {entry.get('name') or number}"
    _check(entry, _REGIMEN, _REGIMEN_MAY, where, also=("courses", "rule"))
    courses: list[Course] = []
    for n, course in enumerate(_objects(entry, "courses", where), start=1):
        courses.append(_course(course, [c.name for c in courses], f"{where} course {course.get('name') or n}"))
    _check_unique([course.name for course in courses], "course", where)
    rule = entry.get("rule")
    if rule is not None:
        _check(rule, _RULE, {}, f"{where} rule")
    texts = {key: entry[key] for key in _REGIMEN}
    return Regimen(
        **texts,
        cancer=cancer,
        courses=tuple(courses),
        exploratory=entry.get("exploratory", False),
        rule=None if rule is None else BiomarkerRule(**rule),
        file=str(path),
    )


def _course(entry: dict, earlier: list[str], where: str) -> Course:
    kind = entry.get("kind")
    own, may = _OF_KIND.get(str(kind), {}), _OF_KIND_MAY.get(str(kind), {})
    _check(entry, _COURSE | own, _COURSE_MAY | may, where)
    for key in ("after", "during"):
        if key in entry and entry[key] not in earlier:
            known = ", ".join(earlier) or "none"
            raise TumorTwinError(f"{where} is '{key}' {entry[key]}, no earlier course: use one of {known}.")
    if sum(key in entry for key in ("times", "cycles", "during")) > 1:
        raise TumorTwinError(f"{where} has more than one of times, cycles and during: keep one.")
    if max(entry.get("on_days", [1])) > entry.get("cycle_days", Course.cycle_days):
        raise TumorTwinError(f"{where} has on_days beyond its cycle_days: lengthen the cycle.")
    if entry.get("residual_fraction", 0) > 1:
        raise TumorTwinError(f"{where} leaves a residual_fraction of {entry['residual_fraction']}: give 1 or less.")
    values = dict(entry)
    if kind == "drug":
        drug = find_drug(entry["drug"])
        if drug is None:
            names = ", ".join(known.name for known in DRUGS)
            raise TumorTwinError(f"{where} names the drug '{entry['drug']}', which is not known: use one of {names}.")
        amounts = entry["amounts"]
        values["drug"] = drug.name
        values["amounts"] = tuple(float(a) for a in (amounts if isinstance(amounts, list) else [amounts]))
    if kind == "radiotherapy":
        fractions = entry["times"] * entry.get("per_day", 1)
        values["dose_gy"] = values.pop("total_gy") / fractions
        if "boost_total_gy" in entry:
            values["boost_gy"] = values.pop("boost_total_gy") / fractions
    if "on_days" in entry:
        values["on_days"] = tuple(sorted(entry["on_days"]))
    return Course(**values)


def _check(
    entry: Any, required: Mapping[str, _Field], optional: Mapping[str, _Field], where: str, also: tuple[str, ...] = ()
) -> None:
    """Every required field is there, every field is known, and each value is what its field asks for."""
    if not isinstance(entry, dict):
        raise TumorTwinError(f"{where} is no object: write it in braces, with {', '.join(required)}.")
    for name in required:
        if name not in entry:
            raise TumorTwinError(f"{where} has no '{name}': add {required[name].words}.")
    fields = {**required, **optional}
    for name, value in entry.items():
        if name in also:
            continue
        if name not in fields:
            known = ", ".join([*fields, *also])
            raise TumorTwinError(f"{where} has the unknown field '{name}': use {known}.")
        if not fields[name].holds(value):
            raise TumorTwinError(f"{where} has the {name} {json.dumps(value)}: write {fields[name].words}.")


def _objects(entry: dict, key: str, where: str) -> list[dict]:
    found = entry.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise TumorTwinError(f"{where} has no list '{key}': write it as a list of objects.")
    return found


def _check_unique(names: list[str], what: str, where: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise TumorTwinError(f"{where} has the {what} '{twice}' twice: give each its own name.")
