"""Measure the trained networks as users run them, at full resolution, then install the shipped one.

Every network segments the expert cases, none of which it has seen, by ``TumorTwinLib.segmentation.segment``; Dice is
against the expert labels at 1 mm. A region that neither has counts as 1.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from recipe import CASES, SHIPPED
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


def table_of(work: Path, data: Path, description: ModelDescription, run: str) -> dict[str, dict[str, float]]:
    """Dice by case and region of one run's network."""
    network = make_network()
    network.load_state_dict(torch.load(work / run / "weights.pt", weights_only=True))
    table = {case: dice_of(network.eval(), description, case, data) for case in CASES}
    for case, row in table.items():
        print(run, case, {region: round(value, 3) for region, value in row.items()}, flush=True)
    return table


def install(work: Path, description: ModelDescription) -> None:
    """The shipped weights in half precision, which costs no accuracy, and their checksum in the description."""
    weights = torch.load(work / SHIPPED / "weights.pt", weights_only=True)
    file = MODELS / description.weights.file
    halves: dict[int, torch.Tensor] = {}  # DynUNet names every tensor twice; shared ones are stored once
    half = {key: halves.setdefault(value.data_ptr(), value.half()) for key, value in weights.items()}
    torch.save(half, file)
    source = replace(description.weights, sha256=file_sha256(file), size_bytes=file.stat().st_size)
    write_description(MODELS / f"{SHIPPED}.json", replace(description, weights=source))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    arguments = parser.parse_args()
    description = read_description(MODELS / f"{SHIPPED}.json")
    runs = (SHIPPED, "synthetic_only")
    tables = {run: table_of(arguments.work, arguments.data, description, run) for run in runs}
    (MODELS / "training" / "dice.json").write_text(json.dumps(tables, indent=1) + "\n", encoding="utf-8")
    for short, target in TARGETS.items():
        means = {kind: float(np.mean([row[short] for row in table.values()])) for kind, table in tables.items()}
        record("segmentation", f"seg_dice_{short}_mean", means[SHIPPED], "", target, "higher", COMMAND)
        name = f"seg_synthetic_only_dice_{short}_mean"
        record("segmentation", name, means["synthetic_only"], "", None, "higher", COMMAND)
        worst = min(row[short] for row in tables[SHIPPED].values())
        record("segmentation", f"seg_dice_{short}_worst", worst, "", None, "higher", COMMAND)
    install(arguments.work, description)


if __name__ == "__main__":
    main()
