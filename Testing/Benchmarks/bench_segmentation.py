"""One BraTS case (240 x 240 x 155, four modalities) segmented on this machine, against MONAI's plain sliding window.

Both read the same files, build the same network and write the same regions, each in a process of its own, so that its
peak memory is its own. Plain is what MONAI's tutorials do: orientation, spacing and intensity transforms over the whole
volume, ``SlidingWindowInferer(window, sw_batch_size=4, overlap=0.5)`` in float32, threshold. The network is the
shipped one where its weights are present, and the SegResNet of ``brats_segresnet`` with random weights besides, whose
cost is that of trained ones and whose regions mean nothing. Seconds are wall time; the ratio is of processor time, for
other work on the machine changes the former.

Needs the research data: TUMORTWIN_DATA, else ../shared/data beside the checkout.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from Testing.Benchmarks.results import record
from TumorTwinLib.geometry import Grid, Image
from TumorTwinLib.labels import regions_from_labels
from TumorTwinLib.metrics import dice
from TumorTwinLib.segmentation.description import ModelDescription
from TumorTwinLib.segmentation.description_file import read_description
from TumorTwinLib.volume_files import read_volume

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "Resources" / "Models"
CASE = "BraTS2021_00006"
COMMAND = "python -m Testing.Benchmarks.bench_segmentation"


def data_folder() -> Path:
    return Path(os.environ.get("TUMORTWIN_DATA", ROOT.parent / "shared" / "data"))


def _network(description: ModelDescription):
    import torch

    from TumorTwinLib.segmentation.networks import build_network
    from TumorTwinLib.segmentation.weights import fit_weights, read_weights

    torch.manual_seed(0)
    network = build_network(description.network, description.title, MODELS)
    weights = MODELS / description.weights.file
    if weights.is_file():
        fit_weights(network, read_weights(weights), str(weights))
    return network.requires_grad_(False).eval()


def _images(description: ModelDescription) -> dict[str, Image]:
    folder = data_folder() / "brats2021" / CASE
    return {name: read_volume(folder / f"{CASE}_{name.lower()}.nii.gz") for name in description.modalities}


def _plain(description: ModelDescription) -> np.ndarray:
    import torch
    from monai.data import MetaTensor
    from monai.inferers import SlidingWindowInferer
    from monai.transforms import NormalizeIntensity, Orientation, ScaleIntensity, Spacing

    from TumorTwinLib.segmentation.decoding import decode

    images = _images(description)
    grid = images[description.modalities[0]].grid
    channels = np.stack([image.array.astype(np.float32) for image in images.values()])
    volume = MetaTensor(torch.from_numpy(channels), affine=torch.from_numpy(grid.ijk_to_ras.copy()))
    volume = Orientation(axcodes=description.orientation)(volume)
    volume = Spacing(pixdim=description.spacing_mm, mode="bilinear")(volume)
    scale = (
        ScaleIntensity(channel_wise=True)
        if description.normalization == "minmax"
        else NormalizeIntensity(nonzero=True, channel_wise=True)
    )
    affine = np.asarray(volume.affine)
    array = torch.as_tensor(np.asarray(scale(volume)))[None]
    with torch.no_grad():
        logits = SlidingWindowInferer(description.window, 4, 0.5)(array, _network(description))[0].numpy()
    coarse = Grid(logits.shape[1:], affine)
    finer = np.stack([Image(channel, coarse).resample(grid, fill=-10).array for channel in logits])
    return decode(finer, description)[0]


def _ours(description: ModelDescription) -> np.ndarray:
    from TumorTwinLib.segmentation.inference import segment

    result = segment(_images(description), description, network=_network(description), device="cpu")
    return result.labels.array


def _measure(way: str, model: str, folder: Path) -> dict:
    """Runs one way in a fresh process: its labels, wall and processor seconds and peak memory."""
    out = folder / f"{model}_{way}.npz"
    subprocess.run([sys.executable, "-m", "Testing.Benchmarks.bench_segmentation", way, model, str(out)], check=True)
    with np.load(out) as found:
        figures = json.loads(str(found["figures"])) | {"labels": found["labels"]}
    print(
        f"{model} {way}: {figures['seconds']:.1f} s, {figures['cpu_seconds']:.1f} s of processor, "
        f"{figures['peak_gb']:.2f} GB",
        flush=True,
    )
    return figures


def child(way: str, model: str, out: str) -> None:
    description = read_description(MODELS / f"{model}.json")
    start, processor = time.perf_counter(), time.process_time()
    labels = {"plain": _plain, "ours": _ours}[way](description)
    figures = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - processor,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    np.savez_compressed(out, labels=labels, figures=json.dumps(figures))


def main() -> None:
    if not (data_folder() / "brats2021" / CASE).is_dir():
        print("Not measured: research data absent, set TUMORTWIN_DATA to its folder.")
        return
    shipped = MODELS / "tumortwin_brain.pt"
    models = (["tumortwin_brain"] if shipped.is_file() else []) + ["brats_segresnet"]
    with tempfile.TemporaryDirectory() as folder:
        runs = {(model, way): _measure(way, model, Path(folder)) for model in models for way in ("ours", "plain")}
    for model in models:
        ours, plain = runs[model, "ours"], runs[model, "plain"]
        suffix = "" if model == models[0] else f"_{model}"
        speedup = plain["cpu_seconds"] / ours["cpu_seconds"]
        print(f"{model}: {speedup:.1f} times less processor time than MONAI's plain sliding window")
        record("segmentation", f"seg_case_seconds{suffix}", ours["seconds"], "s", 180.0, "lower", COMMAND)
        record("segmentation", f"seg_case_peak_gb{suffix}", ours["peak_gb"], "GB", 6.0, "lower", COMMAND)
        record("segmentation", f"seg_plain_monai_seconds{suffix}", plain["seconds"], "s", None, "lower", COMMAND)
        record("segmentation", f"seg_plain_monai_peak_gb{suffix}", plain["peak_gb"], "GB", None, "lower", COMMAND)
        record("segmentation", f"seg_speedup_vs_plain_monai{suffix}", speedup, "", 2.0, "higher", COMMAND)
    if shipped.is_file():
        _record_dice(runs)


def _record_dice(runs: dict[tuple[str, str], dict]) -> None:
    """Dice of both ways with the expert's whole tumor; the shipped network has seen this case."""
    expert = read_volume(data_folder() / "brats2021" / CASE / f"{CASE}_seg.nii.gz")
    whole = np.logical_or.reduce([mask.array for mask in regions_from_labels(expert).values()])
    for way, name in (("ours", "seg_bench_dice_wt"), ("plain", "seg_bench_dice_wt_plain_monai")):
        value = dice(runs["tumortwin_brain", way]["labels"] > 0, whole)
        record("segmentation", name, value, "", None, "higher", COMMAND)
        print(f"whole tumor, {way}: Dice {value:.4f}")


if __name__ == "__main__":
    child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
