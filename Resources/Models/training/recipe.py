"""The runs that make the shipped weights, in order: ``python recipe.py --data DIR --work DIR [--minutes-scale S]``.

1. ``synthetic_only``: heads painted from an atlas, tumors grown by the solver; no patient.
2. ``base`` and ``base_2``: go on from it with three heads whose tumors algorithms outlined.
3. ``fold_a`` to ``fold_c``: each goes on from the base with four expert cases and is tested on the other two.
4. ``tumortwin_brain``: goes on from the base with all cases; these weights are shipped.

The first three are tested on all expert cases, which they never saw.
Then ``publish.py`` measures and installs. Minutes are of one undisturbed core each; a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CASES = tuple(f"BraTS2021_{number}" for number in ("00006", "01476", "01477", "01479", "01480", "01481"))
SHIPPED = "tumortwin_brain"


@dataclass(frozen=True)
class Run:
    name: str
    minutes: float
    seed: int
    learning_rate: float
    start_from: str | None = None
    hold_out: tuple[str, ...] = ()
    atlas_only: bool = False


RUNS = (
    Run("synthetic_only", 19, 1, 1.5e-3, atlas_only=True, hold_out=CASES),
    Run("base", 19, 20, 1.5e-3, "synthetic_only", CASES),
    Run("base_2", 11, 30, 1e-3, "base", CASES),
    Run("fold_a", 7, 31, 6e-4, "base_2", (CASES[0], CASES[4])),
    Run("fold_b", 7, 32, 6e-4, "base_2", (CASES[1], CASES[3])),
    Run("fold_c", 7, 33, 6e-4, "base_2", (CASES[2], CASES[5])),
    Run(SHIPPED, 9, 34, 6e-4, "base_2"),
)
FOLDS = tuple(run for run in RUNS if run.name.startswith("fold_"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes-scale", type=float, default=1.0, help="0.01 tries the whole recipe in a minute")
    arguments = parser.parse_args()
    here = Path(__file__).parent
    places = ["--data", str(arguments.data), "--work", str(arguments.work)]
    for run in RUNS:
        if (arguments.work / run.name / "weights.pt").exists():
            continue
        command = [sys.executable, str(here / "train.py"), run.name, *places, "--seed", str(run.seed)]
        command += ["--minutes", str(run.minutes * arguments.minutes_scale), "--hold-out", *run.hold_out]
        command += ["--learning-rate", str(run.learning_rate)]
        command += ["--start-from", run.start_from] if run.start_from else []
        command += ["--atlas-only"] if run.atlas_only else []
        print(f"== {run.name}: {run.minutes * arguments.minutes_scale:.1f} minutes", flush=True)
        subprocess.run(command, check=True)
    subprocess.run([sys.executable, str(here / "publish.py"), *places], check=True)


if __name__ == "__main__":
    main()
