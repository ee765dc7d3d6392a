"""A MONAI bundle as a model description. Its configuration is read as data; its ``$`` expressions are never evaluated.

A bundle is a folder with ``configs/metadata.json``, ``configs/inference.json`` and ``models/model.pt``
(https://docs.monai.io/en/stable/mb_specification.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.description import MONAI, ORGANS, SIGMOID_TC_WT_ET, SOFTMAX, ModelDescription
from TumorTwinLib.segmentation.description_file import parse_description, read_json

METADATA, INFERENCE, WEIGHTS = "configs/metadata.json", "configs/inference.json", "models/model.pt"

# What models call their channels, in lower case without marks.
_MODALITIES = {
    "t1": "T1", "t1w": "T1", "t1n": "T1",
    "t1c": "T1CE", "t1ce": "T1CE", "t1gd": "T1CE", "t1post": "T1CE",
    "t2": "T2", "t2w": "T2",
    "flair": "FLAIR", "t2f": "FLAIR", "t2flair": "FLAIR",
    "adc": "ADC", "ct": "CT", "pet": "PET",
}  # fmt: skip
_REGIONS = {
    "tumorcore": ("tumor_core", 1), "tumourcore": ("tumor_core", 1), "tc": ("tumor_core", 1),
    "wholetumor": ("whole_tumor", 2), "wholetumour": ("whole_tumor", 2), "wt": ("whole_tumor", 2),
    "enhancingtumor": ("enhancing", 4), "enhancingtumour": ("enhancing", 4), "et": ("enhancing", 4),
}  # fmt: skip
_ORGAN_WORDS = {
    "brain": ("brain", "brats", "gliom"),
    "prostate": ("prostat",),
    "pancreas": ("pancrea",),
    "lung": ("lung",),
}
_PLAIN_TRANSFORMS = {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "ToTensord", "AsChannelFirstd"}


def is_bundle(folder: Path) -> bool:
    return (folder / "configs").is_dir() and (folder / WEIGHTS).is_file()


def describe_bundle(folder: Path, name: str, modalities: Sequence[str] = ()) -> ModelDescription:
    """The description of a bundle that is not one of ours.

    Args:
        name: what to call the model.
        modalities: its input channels in order, where the bundle does not say.

    Raises:
        TumorTwinError: a part is missing, or is beyond what a description can say; the sentence names it.
    """
    if not (folder / INFERENCE).is_file():
        raise TumorTwinError(f"{folder / INFERENCE} does not exist: give a bundle whose configuration is JSON.")
    metadata, config = read_json(folder / METADATA), read_json(folder / INFERENCE)
    where = str(folder / INFERENCE)
    formats = _at(metadata, ("network_data_format",), str(folder / METADATA))
    network = _network(config, where)
    transforms = _transforms(config, "preprocessing", where)
    summary = str(metadata.get("description") or metadata.get("task") or "A MONAI bundle without a description.")
    organ = organ_of(f"{name} {summary}")
    decoding, outputs = _outputs(config, formats, organ, where)
    description = {
        "name": name,
        "title": str(metadata.get("name") or name),
        "summary": summary[:1000],
        "organ": organ,
        "modalities": [*modalities] or _channels(formats, str(folder / METADATA)),
        "network": network,
        **_preprocessing(transforms, where),
        "decoding": decoding,
        "outputs": outputs,
        "window": _value(config, _at(config, ("inferer",), where).get("roi_size"), where, "inferer.roi_size"),
        "weights": {
            "file": "model.pt",
            "licence": "see its LICENSE" if (folder / "LICENSE").is_file() else "not stated by the bundle",
        },
    }
    return parse_description(description, where)


def modality_of(name: str) -> str | None:
    """Our name for what a model calls a channel."""
    return _MODALITIES.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def region_of(name: str) -> tuple[str, int] | None:
    """Our name and label for what a model calls a nested tumor region."""
    return _REGIONS.get(re.sub(r"[^a-z]", "", name.lower()))


def organ_of(text: str) -> str:
    lower = text.lower()
    return next((organ for organ, words in _ORGAN_WORDS.items() if any(w in lower for w in words)), ORGANS[-1])


def labeled_outputs(names: Sequence[str], organ: str) -> list[dict[str, Any]]:
    """Output channels of a softmax, background first: BraTS's labels where the names are BraTS's, else 0, 1, 2, ..."""
    tumor = [_brats_label(name) for name in names[1:]] if organ == "brain" else [None]
    labels = [0, *tumor] if None not in tumor and len(set(tumor)) == len(tumor) else [*range(len(names))]
    plain = [re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "region" for name in names]
    return [{"name": name, "label": label} for name, label in zip(plain, labels, strict=True)]


def _brats_label(name: str) -> int | None:
    lower = name.lower()
    if "necro" in lower or ("non" in lower and "enhanc" in lower):
        return 1
    if "edema" in lower:  # oedema too
        return 2
    return 4 if "enhanc" in lower else None


def _network(config: Mapping[str, Any], where: str) -> dict[str, Any]:
    found = next((config[key] for key in ("network_def", "network") if isinstance(config.get(key), Mapping)), None)
    if found is None or not isinstance(found.get("_target_"), str):
        raise TumorTwinError(f"{where} has no network_def with a _target_: give a bundle that describes its network.")
    arguments = {
        key: _value(config, value, where, f"network_def.{key}")
        for key, value in found.items()
        if not key.startswith("_")
    }
    return {"kind": MONAI, "name": found["_target_"].removeprefix("monai.networks.nets."), "arguments": arguments}


def _preprocessing(transforms: Sequence[Mapping[str, Any]], where: str) -> dict[str, Any]:
    """Spacing, orientation and normalization of the transforms, each of which must be one that descriptions know."""
    said: dict[str, Any] = {"spacing_mm": None, "orientation": "RAS"}
    scaling = []
    for transform in transforms:
        target = str(transform.get("_target_", "")).rpartition(".")[2]
        if target == "Orientationd":
            said["orientation"] = transform.get("axcodes")
        elif target == "Spacingd":
            said["spacing_mm"] = transform.get("pixdim")
        elif target in {"NormalizeIntensityd", "ScaleIntensityd", "ScaleIntensityRanged"}:
            scaling.append((target, transform))
        elif target not in _PLAIN_TRANSFORMS:
            raise TumorTwinError(f"{where} prepares images by {target}, which TumorTwin cannot do: use another model.")
    return {**said, **_normalization(scaling, where)}


def _normalization(scaling: Sequence[tuple[str, Mapping[str, Any]]], where: str) -> dict[str, Any]:
    steps = [name for name, _ in scaling]
    if steps == ["NormalizeIntensityd"]:
        return {"normalization": "zscore_nonzero" if scaling[0][1].get("nonzero") else "zscore"}
    if steps == ["ScaleIntensityd"] and (scaling[0][1].get("minv", 0), scaling[0][1].get("maxv", 1)) == (0, 1):
        return {"normalization": "minmax"}
    if steps == ["ScaleIntensityd", "NormalizeIntensityd"] and not scaling[1][1].get("nonzero"):
        return {"normalization": "zscore"}  # scaling before it makes no difference
    if steps == ["ScaleIntensityRanged"]:
        given = scaling[0][1]
        if given.get("clip") and (given.get("b_min"), given.get("b_max")) == (0, 1):
            window = {"lower_hu": given.get("a_min"), "upper_hu": given.get("a_max")}
            return {"normalization": "ct_window", "normalization_arguments": window}
    names = ", ".join(steps) or "nothing"
    raise TumorTwinError(f"{where} scales intensities by {names}, which TumorTwin cannot do: use another model.")


def _outputs(
    config: Mapping[str, Any], formats: Mapping[str, Any], organ: str, where: str
) -> tuple[str, list[dict[str, Any]]]:
    channels = _at(formats, ("outputs", "pred", "channel_def"), where)
    names = [str(channels[key]) for key in sorted(channels, key=int)]
    steps = _transforms(config, "postprocessing", where)
    if any(step.get("sigmoid") is True for step in steps):
        regions = [region_of(name) for name in names]
        if None in regions:
            raise TumorTwinError(
                f"{where} gives {', '.join(names)} by sigmoids; TumorTwin knows tumor core, whole tumor and enhancing "
                "tumor: use another model."
            )
        return SIGMOID_TC_WT_ET, [{"name": r[0], "label": r[1]} for r in regions if r]
    return SOFTMAX, labeled_outputs(names, organ)


def _channels(formats: Mapping[str, Any], where: str) -> list[str]:
    image = _at(formats, ("inputs", "image"), where)
    channels = _at(image, ("channel_def",), where)
    names = [str(channels[key]) for key in sorted(channels, key=int)]
    if len(names) == 1 and image.get("modality") == "CT":
        return ["CT"]
    known = [modality_of(name) for name in names]
    if None in known:
        raise TumorTwinError(f"{where} calls its images {', '.join(names)}: import it again and name the modalities.")
    return [name for name in known if name]


def _transforms(config: Mapping[str, Any], stage: str, where: str) -> list[dict[str, Any]]:
    entries = _at(config, (stage,), where).get("transforms")
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise TumorTwinError(f"{where} has no list {stage}.transforms: give a bundle for inference.")
    kept = {"_target_", "axcodes", "pixdim", "nonzero", "minv", "maxv", "a_min", "a_max", "b_min", "b_max", "clip"}
    kept |= {"sigmoid", "softmax", "argmax"}
    return [
        {key: _value(config, value, where, f"{stage}.{key}") for key, value in entry.items() if key in kept}
        for entry in entries
    ]


def _at(data: Any, path: Sequence[str], where: str) -> dict[str, Any]:
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    if not isinstance(data, Mapping):
        raise TumorTwinError(f"{where} has no {'.'.join(path)}: give a complete bundle.")
    return dict(data)


def _value(config: Mapping[str, Any], value: Any, where: str, name: str, depth: int = 0) -> Any:
    """A value with its ``@`` references followed; expressions are refused, not run."""
    if isinstance(value, list):
        return [_value(config, entry, where, name, depth) for entry in value]
    if isinstance(value, Mapping):
        return {key: _value(config, entry, where, name, depth) for key, entry in value.items()}
    if not isinstance(value, str) or value[:1] not in {"$", "@", "%"}:
        return value
    if value[0] == "@" and depth < 8:
        target: Any = config
        for key in re.split("#|::", value[1:]):
            target = target.get(key) if isinstance(target, Mapping) else None
        if target is not None:
            return _value(config, target, where, name, depth + 1)
    raise TumorTwinError(
        f"{where}: {name} is the expression {value[:60]!r}, which TumorTwin does not run: write its value instead."
    )
