"""A trained nnU-Net v2 model folder as a model description (Isensee, Nature Methods 2021).

The folder is the one nnU-Net trains into, ``nnUNetTrainer__nnUNetPlans__3d_fullres`` with ``plans.json``,
``dataset.json`` and ``fold_0/checkpoint_final.pth``. nnU-Net itself unpickles the checkpoint, which can run code; here
the network is built from the plans and takes the tensors alone. One fold is used, without nnU-Net's own mirroring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.segmentation.bundles import labeled_outputs, modality_of, organ_of, region_of
from TumorTwinLib.segmentation.description import NNUNET, SIGMOID_TC_WT_ET, SOFTMAX, ModelDescription
from TumorTwinLib.segmentation.description_file import parse_description, read_json
from TumorTwinLib.segmentation.networks import LAYER_ARGUMENTS, LAYER_NAMES

PLANS, DATASET = "plans.json", "dataset.json"
_CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
_PREFERRED = ("3d_fullres", "3d_lowres")
# nnU-Net reads through SimpleITK and does not reorient: its axes are k, j, i of files that grow to L, P, S, as those of
# BraTS and most DICOM conversions do.
_FILE_AXES = "SPL"


def is_nnunet_folder(folder: Path) -> bool:
    return (folder / PLANS).is_file() and (folder / DATASET).is_file()


def checkpoint_of(folder: Path) -> Path:
    """The weights of the first fold.

    Raises:
        TumorTwinError: there are none.
    """
    folds = sorted(folder.glob("fold_*"))
    found = [fold / name for name in _CHECKPOINTS for fold in folds if (fold / name).is_file()]
    if not found:
        raise TumorTwinError(f"{folder} has no fold_0/{_CHECKPOINTS[0]}: give a folder whose training has finished.")
    return found[0]


def describe_nnunet(folder: Path, name: str, modalities: Sequence[str] = ()) -> ModelDescription:
    """The description of a trained nnU-Net.

    Args:
        name: what to call the model.
        modalities: its input channels in order, where ``dataset.json`` does not use a common name.

    Raises:
        TumorTwinError: the folder is of an old version, or beyond what a description can say.
    """
    plans, dataset = read_json(folder / PLANS), read_json(folder / DATASET)
    where = str(folder / PLANS)
    configuration = _configuration(plans, folder.name, where)
    channels = dataset.get("channel_names")
    labels = dataset.get("labels")
    if not isinstance(channels, Mapping) or not isinstance(labels, Mapping) or "background" not in labels:
        raise TumorTwinError(f"{folder / DATASET} has no channel_names or labels: give a folder of nnU-Net version 2.")
    names = [str(channels[key]) for key in sorted(channels, key=int)]
    images: list[str | None] = [*modalities] or [modality_of(text) for text in names]
    if None in images or len(images) != len(names):
        raise TumorTwinError(
            f"{folder / DATASET} calls its images {', '.join(names)}: import it again and name the modalities."
        )
    organ = organ_of(f"{name} {plans.get('dataset_name')}")
    decoding, outputs = _outputs(labels, organ, str(folder / DATASET))
    order = plans.get("transpose_forward", [0, 1, 2])
    title = str(plans.get("dataset_name") or name)
    description = {
        "name": name,
        "title": f"nnU-Net {title}",
        "summary": f"nnU-Net trained on {title}: from {', '.join(names)} to {', '.join(map(str, labels))}.",
        "organ": organ,
        "modalities": images,
        "network": _network(configuration, len(names), len(outputs), where),
        "spacing_mm": configuration.get("spacing"),
        "orientation": "".join(_FILE_AXES[axis] for axis in order),
        **_normalization(plans, configuration, where),
        "decoding": decoding,
        "outputs": outputs,
        "window": configuration.get("patch_size"),
        "weights": {"file": checkpoint_of(folder).name, "licence": "the user's own model"},
        "needs_brain_mask": organ == "brain",
    }
    return parse_description(description, where)


def _configuration(plans: Mapping[str, Any], folder_name: str, where: str) -> dict[str, Any]:
    configurations = plans.get("configurations")
    if not isinstance(configurations, Mapping):
        raise TumorTwinError(f"{where} has no configurations: give a folder of nnU-Net version 2.")
    name = next((n for n in (folder_name.rpartition("__")[2], *_PREFERRED) if n in configurations), None)
    if name is None:
        raise TumorTwinError(f"{where} has no 3-D configuration: give the folder of a 3d_fullres model.")
    merged: dict[str, Any] = {}
    seen: list[str] = []
    while isinstance(name, str) and name in configurations and name not in seen:
        seen.append(name)
        merged = {**configurations[name], **merged}
        name = configurations[name].get("inherits_from")
    return merged


def _network(configuration: Mapping[str, Any], inputs: int, outputs: int, where: str) -> dict[str, Any]:
    architecture = configuration.get("architecture")
    if not isinstance(architecture, Mapping) or not isinstance(architecture.get("arch_kwargs"), Mapping):
        raise TumorTwinError(
            f"{where} does not describe its network, as before nnU-Net 2.4: train it with a newer one."
        )
    arguments = dict(architecture["arch_kwargs"])
    for layer in LAYER_ARGUMENTS:
        if arguments.get(layer) is not None and arguments[layer] not in LAYER_NAMES:
            raise TumorTwinError(f"{where} names the layer {arguments[layer]}, which is not one of those allowed.")
    return {
        "kind": NNUNET,
        "name": str(architecture.get("network_class_name")).rpartition(".")[2],
        "arguments": {**arguments, "input_channels": inputs, "num_classes": outputs, "deep_supervision": False},
    }


def _normalization(plans: Mapping[str, Any], configuration: Mapping[str, Any], where: str) -> dict[str, Any]:
    schemes = configuration.get("normalization_schemes") or []
    masked = configuration.get("use_mask_for_norm") or []
    if set(schemes) == {"ZScoreNormalization"} and len(set(masked)) == 1:
        return {"normalization": "zscore_nonzero" if masked[0] else "zscore"}
    if schemes == ["CTNormalization"]:
        known = (plans.get("foreground_intensity_properties_per_channel") or {}).get("0") or {}
        fields = {"lower_hu": "percentile_00_5", "upper_hu": "percentile_99_5", "mean_hu": "mean", "sd_hu": "std"}
        values = {ours: known.get(theirs) for ours, theirs in fields.items()}
        return {"normalization": "ct_zscore", "normalization_arguments": values}
    raise TumorTwinError(f"{where} scales intensities by {', '.join(map(str, schemes))}, which TumorTwin cannot do.")


def _outputs(labels: Mapping[str, Any], organ: str, where: str) -> tuple[str, list[dict[str, Any]]]:
    """Labels of their own, or regions inside each other; then the channels are in the order of the file."""
    if any(isinstance(value, list) for value in labels.values()):
        regions = [region_of(name) for name in labels if name != "background"]
        if None in regions:
            named = ", ".join(name for name in labels if name != "background")
            raise TumorTwinError(
                f"{where} has the regions {named}; TumorTwin knows whole tumor, tumor core and enhancing tumor."
            )
        return SIGMOID_TC_WT_ET, [{"name": r[0], "label": r[1]} for r in regions if r]
    ordered = sorted((item for item in labels.items() if item[0] != "ignore"), key=lambda item: item[1])
    return SOFTMAX, labeled_outputs([name for name, _ in ordered], organ)
