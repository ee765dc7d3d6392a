"""Train a network for a stated time: ``python train.py NAME --data DIR --work DIR --minutes M [--hold-out CASE ...]``.

Stages are runs of this one command: atlas heads only (``--atlas-only``), folds that start from it and leave cases out
(``--start-from``, ``--hold-out``), and the shipped weights. A run continues from its checkpoint when started again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from anatomy import atlas_brain, made_whole
from augmentation import random_patch
from cases import SPACING_MM, Case, halve, ras_array, read_cases
from evaluation import dice_table, means
from growth import tumor_bank
from synthesis import faded, painted, transplanted
from torch.nn import functional

_BANK = 160  # tumors grown by the solver
_EMA = 0.995  # the shipped weights are a moving average over the last few hundred steps
_SAVE_EVERY_S = 120


def make_network() -> torch.nn.Module:
    """The shipped architecture: a U-Net of five levels, 4 channels in, logits of TC, WT and ET out."""
    from monai.networks.nets import DynUNet

    return DynUNet(
        spatial_dims=3,
        in_channels=4,
        out_channels=3,
        kernel_size=[3] * 5,
        strides=[1, 2, 2, 2, 2],
        upsample_kernel_size=[2] * 4,
        filters=[16, 32, 64, 128, 160],
        norm_name="INSTANCE",
    )


@dataclass(frozen=True, eq=False)
class Sources:
    """What patches are drawn from: real cases (may be none), the same made whole, atlas tissue and grown shapes."""

    real: list[Case]
    whole: list[Case]
    tissues: np.ndarray
    bank: np.ndarray

    def draw(self, rng: np.random.Generator) -> Case:
        """Real 20 % (a third of them faded), transplanted 12 %, painted into real heads 23 % and atlas heads 45 %.

        With half as many atlas heads and twice as many real ones, networks learnt the few real heads by heart: they
        did worse on heads they had not seen than before they saw any expert's outline.
        """
        kind = rng.random() if self.real else 1.0
        if kind < 0.20:
            index = rng.integers(len(self.real))
            case = self.real[index]
            return faded(case, self.whole[index], rng) if rng.random() < 1 / 3 else case
        if kind < 0.32:
            donor = self.real[rng.integers(len(self.real))]
            return transplanted(self.whole[rng.integers(len(self.whole))], donor, rng)
        if kind < 0.55:
            return self._painted(self.whole[rng.integers(len(self.whole))], rng)
        return self._painted(atlas_brain(self.tissues, rng), rng)

    def _painted(self, brain: Case, rng: np.random.Generator) -> Case:
        return painted(brain, self.bank[rng.integers(len(self.bank))].astype(np.float32) / 255, rng)


def loss_of(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean over regions of soft Dice loss plus binary cross-entropy; targets are voxel fractions."""
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dim=(0, 2, 3, 4))
    size = (probability**2).sum(dim=(0, 2, 3, 4)) + (target**2).sum(dim=(0, 2, 3, 4))
    smooth = 50.0  # voxels (0.4 mL): a region that is absent asks only that little is painted
    dice = 1 - (2 * overlap + smooth) / (size + smooth)
    return dice.mean() + 2 * functional.binary_cross_entropy_with_logits(logits, target)


class Training:
    """Steps against the clock, with a checkpoint to go on from."""

    def __init__(self, sources: Sources, folder: Path, seconds: float, seed: int, start_from: Path | None, rate: float):
        torch.manual_seed(seed)
        self.sources, self.folder, self.seconds, self.rate = sources, folder, seconds, rate
        self.network, self.average = make_network(), make_network()
        if start_from:
            self.network.load_state_dict(torch.load(start_from, weights_only=True))
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=1e-4)
        self.rng = np.random.default_rng(seed)
        self.step, self.elapsed, self.losses = 0, 0.0, []
        self._resume()

    def run(self) -> torch.nn.Module:
        last, saved = time.monotonic(), time.monotonic()
        while self.elapsed < self.seconds:
            self._one_step()
            now = time.monotonic()
            self.elapsed, last = self.elapsed + now - last, now
            if now - saved > _SAVE_EVERY_S:
                self._save()
                saved = now
        self._save()
        return self.average

    def _one_step(self) -> None:
        progress = self.elapsed / self.seconds
        warm = min(1.0, (self.step + 1) / 50)
        for group in self.optimizer.param_groups:
            group["lr"] = float(self.rate * warm * (0.5 + 0.5 * np.cos(np.pi * progress)) + 1e-5)
        x, y = random_patch(self.sources.draw(self.rng), self.rng)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(x[None])
        loss = loss_of(logits.float(), y[None])
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        decay = min(_EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)
        self.step += 1
        self.losses.append(loss.item())

    def _save(self) -> None:
        state = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict(), "step": self.step, "elapsed": self.elapsed}
        torch.save(state, self.folder / "checkpoint.tmp")
        (self.folder / "checkpoint.tmp").replace(self.folder / "checkpoint.pt")
        recent = np.mean(self.losses[-200:]) if self.losses else float("nan")
        print(f"{self.elapsed / 60:6.1f} min, step {self.step}, loss {recent:.3f}", flush=True)

    def _resume(self) -> None:
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            return
        state = torch.load(file, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]
        self.rng = np.random.default_rng(self.step + 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--data", type=Path, required=True, help="folder with brats2021, glioma_unlabelled and sri24")
    parser.add_argument("--work", type=Path, required=True, help="folder for caches, checkpoints and results")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--hold-out", nargs="*", default=[], help="names of cases to leave out, and to be tested on")
    parser.add_argument("--start-from", help="name of an earlier run")
    parser.add_argument("--atlas-only", action="store_true", help="no real head in training; tested on all of them")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    work = arguments.work
    folder = work / arguments.name
    folder.mkdir(parents=True, exist_ok=True)
    expert = read_cases(arguments.data / "brats2021", work / "cache")
    others = read_cases(arguments.data / "glioma_unlabelled", work / "cache")
    held = expert if arguments.atlas_only else [case for case in expert if case.name in arguments.hold_out]
    used = [] if arguments.atlas_only else [case for case in expert + others if case.name not in arguments.hold_out]
    tissues = _atlas_tissues(arguments.data / "sri24")
    bank = tumor_bank(tissues, SPACING_MM, _BANK, 1, work / "cache" / "tumors.npz")
    sources = Sources(used, [made_whole(case) for case in used], tissues, bank)
    start = work / arguments.start_from / "weights.pt" if arguments.start_from else None
    network = Training(sources, folder, 60 * arguments.minutes, arguments.seed, start, arguments.learning_rate).run()
    torch.save(network.state_dict(), folder / "weights.pt")
    table = dice_table(network, held)
    result = {"held_out": table, "means": means(table) if table else {}, "trained_on": [case.name for case in used]}
    (folder / "result.json").write_text(json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))


def _atlas_tissues(folder: Path) -> np.ndarray:
    return np.stack([halve(ras_array(folder / f"pbmap_{tissue}.nii.gz")) for tissue in ("wm", "gm", "csf")])


if __name__ == "__main__":
    main()
