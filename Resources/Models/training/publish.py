"""Measure the trained networks as users run them, at full resolution, then install the shipped one.

Every fold's network segments the cases it was not trained on, by ``TumorTwinLib.segmentation.segment``; Dice is
against the expert labels at 1 mm. A region that neither has counts as 1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from recipe import CASES, FOLDS, SHIPPED
from train import make_network

from Testing.Benchmarks.results import record
from TumorTwinLib.metrics import dice
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.description_file import read_description, write_description
from TumorTwinLib.segmentation.inference import segment
from TumorTwinLib.segmentation.result import accept_segmentation
from TumorTwinLib.segmentation.weights import file_sha256
from TumorTwinLib.volume_files import read_volume

MODELS = Path(__file__).resolve().parents[1]
REGIONS = {"wt": "whole_tumor", "tc": "core", "et": "enhancing"}
TARGETS = {"wt": 0.85, "tc": 0.75, "et": 0.70}
COMMAND = "make train"


def dice_of(network: torch.nn.Module, description: ModelDescription, case: str, data: Path) -> dict[str, float]:
    """Dice of whole tumor, core and enhancing tumor of one case at full resolution."""
    folder = data / "brats2021" / case
    images = {name: read_volume(folder / f"{case}_{name.lower()}.nii.gz") for name in description.modalities}
    found = segment(images, description, network=network).masks
    truth = accept_segmentation(read_volume(folder / f"{case}_seg.nii.gz"), convention="brats2021").masks
    return {short: dice(found[name].array, truth[name].array) for short, name in REGIONS.items()}


def table_of(
    work: Path, data: Path, description: ModelDescription, runs: dict[str, str]
) -> dict[str, dict[str, float]]:
    """Rows by case; ``runs`` says whose network segments it."""
    table = {}
    for case, name in runs.items():
        network = make_network()
        network.load_state_dict(torch.load(work / name / "weights.pt", weights_only=True))
        table[case] = dice_of(network.eval(), description, case, data)
        print(case, name, {region: round(value, 3) for region, value in table[case].items()}, flush=True)
    return table


def install(work: Path, description: ModelDescription) -> None:
    """The shipped weights in half precision, which costs no accuracy, and their checksum in the description."""
    weights = torch.load(work / SHIPPED / "weights.pt", weights_only=True)
    file = MODELS / description.weights.file
    torch.save({key: value.half() for key, value in weights.items()}, file)
    source = replace(description.weights, sha256=file_sha256(file), size_bytes=file.stat().st_size)
    write_description(MODELS / f"{SHIPPED}.json", replace(description, weights=source))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    description = read_description(MODELS / f"{SHIPPED}.json")
    held_out = {case: fold.name for fold in FOLDS for case in fold.hold_out}
    tables = {
        "cross_validated": table_of(arguments.work, arguments.data, description, dict(sorted(held_out.items()))),
        "synthetic_only": table_of(arguments.work, arguments.data, description, dict.fromkeys(CASES, "synthetic_only")),
    }
    (MODELS / "training" / "dice.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    for short, target in TARGETS.items():
        means = {kind: float(np.mean([row[short] for row in table.values()])) for kind, table in tables.items()}
        record("segmentation", f"seg_dice_{short}_mean", means["cross_validated"], "", target, "higher", COMMAND)
        name = f"seg_synthetic_only_dice_{short}_mean"
        record("segmentation", name, means["synthetic_only"], "", None, "higher", COMMAND)
        worst = min(row[short] for row in tables["cross_validated"].values())
        record("segmentation", f"seg_dice_{short}_worst", worst, "", None, "higher", COMMAND)
    install(arguments.work, description)


if __name__ == "__main__":
    main()
