"""Model descriptions as JSON files: read with every value checked, and written.

What a file may say is closed: a misspelt field, an unknown network or a path is refused with one sentence, so that a
description from elsewhere can neither run code nor reach another file.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.description import (
    DECODINGS,
    NORMALIZATIONS,
    ORGANS,
    SIGMOID_TC_WT_ET,
    TUMOR_REGIONS,
    ModelDescription,
    NetworkSpec,
    OutputChannel,
    WeightsSource,
)
from TumorTwinLib.segmentation.networks import NETWORKS

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")
_MODALITY = re.compile(r"[A-Z][A-Z0-9]{0,15}")
_MAX_JSON_BYTES = 4_000_000
_LARGEST_WINDOW = 512
_AXES = ({"R", "L"}, {"A", "P"}, {"S", "I"})


def read_description(path: Path) -> ModelDescription:
    """The model described in a JSON file.

    Raises:
        TumorTwinError: the file cannot be read, is no JSON, or says something a description may not.
    """
    return parse_description(read_json(path), str(path))


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a few megabytes at most.

    Raises:
        TumorTwinError: it is absent, too large, no JSON or no object.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise TumorTwinError(f"{path} is too large for a description: give the JSON file, not the weights.")
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
    except OSError as error:
        raise TumorTwinError(f"{path} cannot be read ({error.strerror}): check that it is there.") from error
    except (ValueError, RecursionError) as error:
        raise TumorTwinError(f"{path} is no valid JSON: restore it or download it again.") from error
    if not isinstance(data, dict):
        raise TumorTwinError(f"{path} holds no object: restore it or download it again.")
    return data


def write_description(path: Path, description: ModelDescription) -> None:
    """Write the JSON file of a description, in one step."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_text(json.dumps(asdict(description), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def parse_description(data: Mapping[str, Any], where: str) -> ModelDescription:
    """A description from the object of a JSON file.

    Args:
        where: the file, for the message.

    Raises:
        TumorTwinError: the sentence names the file, the field and what it may be.
    """
    check = _Fields(data, where, "", ModelDescription)
    network = _Fields(check.mapping("network"), where, "network.", NetworkSpec)
    weights = _Fields(check.mapping("weights"), where, "weights.", WeightsSource)
    kind = network.choice("kind", tuple(NETWORKS))
    normalization = check.choice("normalization", tuple(NORMALIZATIONS))
    decoding = check.choice("decoding", DECODINGS)
    outputs = tuple(_output(check, number, entry) for number, entry in enumerate(check.sequence("outputs")))
    check.require(bool(outputs), "outputs", "a list of one entry for each output channel")
    if decoding == SIGMOID_TC_WT_ET:
        named = sorted(output.name for output in outputs)
        check.require(named == sorted(TUMOR_REGIONS), "outputs", f"the regions {', '.join(TUMOR_REGIONS)}, each once")
    labels = [output.label for output in outputs]
    check.require(len(set(labels)) == len(labels), "outputs", "a different label for each channel")
    modalities = tuple(check.sequence("modalities"))
    check.require(
        bool(modalities) and all(isinstance(m, str) and _MODALITY.fullmatch(m) for m in modalities),
        "modalities",
        'a list of upper case names such as ["T1", "FLAIR"]',
    )
    arguments = check.mapping("normalization_arguments", {})
    check.require(
        set(arguments) == set(NORMALIZATIONS[normalization]) and all(map(_is_number, arguments.values())),
        "normalization_arguments",
        f"a number for each of ({', '.join(NORMALIZATIONS[normalization])})",
    )
    return ModelDescription(
        name=check.matching("name", _NAME, "letters, digits, '_', '-' and '.'"),
        title=check.text("title"),
        summary=check.text("summary"),
        organ=check.choice("organ", ORGANS),
        modalities=modalities,
        network=NetworkSpec(kind, network.choice("name", NETWORKS[kind]), network.mapping("arguments", {})),
        spacing_mm=_spacing(check),
        orientation=_orientation(check),
        normalization=normalization,
        normalization_arguments={name: float(value) for name, value in arguments.items()},
        decoding=decoding,
        outputs=outputs,
        window=_window(check),
        weights=_weights(weights),
        smallest_enhancing_ml=_smallest_enhancing(check),
        needs_brain_mask=check.flag("needs_brain_mask"),
    )


def _weights(check: _Fields) -> WeightsSource:
    url = check.optional("url", str)
    if url is not None:
        check.require(urlsplit(url).scheme == "https" and bool(urlsplit(url).hostname), "url", "an https:// address")
    members = tuple(check.sequence("archive_members", ()))
    file = check.matching("file", _NAME, "a file name without folders")
    check.require(
        all(isinstance(m, str) and all(_NAME.fullmatch(part) for part in m.split("/")) for m in members),
        "archive_members",
        "a list of paths inside the archive",
    )
    check.require(
        not members or file in {m.rpartition("/")[2] for m in members}, "archive_members", f"a list that holds {file}"
    )
    size = check.optional("size_bytes", int)
    check.require(size is None or size > 0, "size_bytes", "a positive number or null")
    return WeightsSource(
        file=file,
        shipped=check.flag("shipped"),
        url=url,
        archive_members=members,
        sha256=check.hexadecimal("sha256", 64),
        download_sha1=check.hexadecimal("download_sha1", 40),
        size_bytes=size,
        licence=check.text("licence"),
        licence_url=check.optional("licence_url", str),
        citation=check.optional("citation", str),
    )


def _output(check: _Fields, number: int, entry: Any) -> OutputChannel:
    good = (
        isinstance(entry, Mapping)
        and set(entry) == {"name", "label"}
        and isinstance(entry["name"], str)
        and bool(_NAME.fullmatch(entry["name"]))
        and type(entry["label"]) is int
        and 0 <= entry["label"] < 2**15
    )
    check.require(good, f"outputs[{number}]", '{"name": a name, "label": a whole number from 0}')
    return OutputChannel(entry["name"], entry["label"])


def _spacing(check: _Fields) -> tuple[float, float, float] | None:
    if check.data.get("spacing_mm") is None:
        return None
    values = check.sequence("spacing_mm")
    good = len(values) == 3 and all(_is_number(v) and 0.05 <= v <= 20 for v in values)
    check.require(good, "spacing_mm", "three sizes from 0.05 to 20, or null")
    return float(values[0]), float(values[1]), float(values[2])


def _smallest_enhancing(check: _Fields) -> float:
    volume = check.data.get("smallest_enhancing_ml", ModelDescription.smallest_enhancing_ml)
    check.require(_is_number(volume) and 0 <= volume <= 10, "smallest_enhancing_ml", "a volume from 0 to 10 mL")
    return float(volume)


def _window(check: _Fields) -> tuple[int, int, int]:
    values = check.sequence("window")
    good = len(values) == 3 and all(type(v) is int and 8 <= v <= _LARGEST_WINDOW for v in values)
    check.require(good, "window", f"three whole numbers from 8 to {_LARGEST_WINDOW}")
    return values[0], values[1], values[2]


def _orientation(check: _Fields) -> str:
    letters = check.text("orientation")
    good = len(letters) == 3 and all(sum(letter in axis for letter in letters) == 1 for axis in _AXES)
    check.require(good, "orientation", 'three letters such as "RAS" or "LPS"')
    return letters


class _Fields:
    """The fields of one object of the file; every refusal is one sentence that names file and field."""

    def __init__(self, data: Mapping[str, Any], where: str, prefix: str, kind: type) -> None:
        self.data, self.where, self.prefix = data, where, prefix
        unknown = sorted(set(data) - {field.name for field in fields(kind)})
        if unknown:
            raise TumorTwinError(f"{where} has the unknown field {prefix}{unknown[0]}: correct or remove it.")

    def require(self, good: bool, name: str, what: str) -> None:
        if not good:
            raise TumorTwinError(f"{self.where}: {self.prefix}{name} must be {what}.")

    def text(self, name: str) -> str:
        value = self.data.get(name)
        self.require(isinstance(value, str) and bool(value.strip()) and len(value) <= 1000, name, "a short text")
        return str(value)

    def choice(self, name: str, options: Sequence[str]) -> str:
        value = self.data.get(name)
        self.require(isinstance(value, str) and value in options, name, f"one of {', '.join(options)}")
        return str(value)

    def matching(self, name: str, pattern: re.Pattern[str], what: str) -> str:
        value = self.data.get(name)
        self.require(isinstance(value, str) and bool(pattern.fullmatch(value)), name, what)
        return str(value)

    def optional(self, name: str, kind: type) -> Any:
        value = self.data.get(name)
        self.require(value is None or type(value) is kind, name, f"{'a text' if kind is str else 'a number'} or null")
        return value

    def hexadecimal(self, name: str, digits: int) -> str | None:
        value = self.data.get(name)
        good = value is None or (isinstance(value, str) and bool(re.fullmatch(f"[0-9a-f]{{{digits}}}", value)))
        self.require(good, name, f"{digits} lower case hexadecimal digits or null")
        return value

    def flag(self, name: str) -> bool:
        value = self.data.get(name, False)
        self.require(isinstance(value, bool), name, "true or false")
        return bool(value)

    def sequence(self, name: str, default: Sequence[Any] | None = None) -> Sequence[Any]:
        value = self.data.get(name, default)
        self.require(isinstance(value, list | tuple), name, "a list")
        return tuple(value or ())

    def mapping(self, name: str, default: Mapping[str, Any] | None = None) -> dict[str, Any]:
        value = self.data.get(name, default)
        self.require(isinstance(value, dict), name, "an object")
        return dict(value or {})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
