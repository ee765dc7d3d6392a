"""Forecast one patient from the command line.

    python tumor_twin_pipeline.py --patient DIR --out DIR [--horizon-days 180]
    Slicer --no-main-window --python-script tumor_twin_pipeline.py --patient DIR --out DIR

The first needs slicer-core, the second Slicer with the TumorTwin extension; both do the same. The exit code is 0, or
1 with one sentence on standard error, 2 for wrong arguments, 130 when stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

# In a checkout the library lies two folders up; in an installed extension it lies one folder up.
for _folder in Path(__file__).resolve().parents[1:3]:
    if (_folder / "TumorTwinLib").is_dir() and str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))


def _days(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.replace(",", " ").split())


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tumor_twin_pipeline.py",
        description="Calibrate a glioblastoma twin on a patient's scans and forecast it. Not for clinical use.",
    )
    parser.add_argument("--patient", required=True, help="folder of visits or of raw scans, or a .json patient file")
    parser.add_argument("--out", type=Path, required=True, help="folder for scene, report, tables and pictures")
    parser.add_argument("--horizon-days", type=float, default=180.0, help="days beyond the last visit used (180)")
    parser.add_argument(
        "--output-days", type=_days, default=(), help="days after that visit to show, as in 30,60,90 (every 30)"
    )
    parser.add_argument("--calibration-visits", type=int, help="fit only this many visits, compare the rest (all)")
    parser.add_argument("--segmentation-model", help="outline every visit with this model (raw scans without outlines)")
    parser.add_argument("--label-convention", help="of label maps among raw scans, as in brats2024 (guessed)")
    parser.add_argument("--interval-days", type=float, help="between visits of raw scans that have no dates (90)")
    parser.add_argument("--mapping", help="file that says which series of raw scans is what (the proposal)")
    parser.add_argument("--resolution-mm", type=float, default=2.0, help="voxel size of the model (2)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (cpu)")
    parser.add_argument("--bayesian", action="store_true", help="forecast with intervals from a sampled posterior")
    parser.add_argument("--n-samples", type=int, default=1000, help="draws of the posterior, with --bayesian (1000)")
    parser.add_argument("--n-futures", type=int, default=128, help="of them, run into the future (128)")
    parser.add_argument(
        "--compare", nargs="+", default=(), metavar="NAME", dest="regimens",
        help="regimens to compare: names of the library, recorded, .json or .csv files; implies --bayesian",
    )  # fmt: skip
    parser.add_argument("--comparison-draws", type=int, default=64, help="draws under every regimen (64)")
    parser.add_argument("--regimen-start", help="day 1 and time of regimens (9:00 on the day after the last visit)")
    parser.add_argument("--seed", type=int, default=0, help="of random numbers (0)")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    settings = vars(parse(arguments))
    out = settings.pop("out")
    settings["bayesian"] = settings["bayesian"] or bool(settings["regimens"])
    try:
        from TumorTwinLib.errors import TumorTwinError
        from TumorTwinLib.jobs.spec import JobSpec
        from TumorTwinLib.mrml.batch import run_command
    except Exception as error:  # a package is missing or broken: say which, not where
        print(f"TumorTwin: Cannot start: {error}", file=sys.stderr)
        return 1
    try:
        job = JobSpec(**settings)
    except TumorTwinError as error:
        print(f"TumorTwin: {error}", file=sys.stderr)
        return 1
    return run_command(job, out)


def leave(code: int) -> None:
    """End the process; inside Slicer the application must be told, or it would wait for a user."""
    slicer = sys.modules.get("slicer")
    if hasattr(slicer, "app"):
        slicer.util.exit(code)
    sys.exit(code)


if __name__ == "__main__":
    _code = 1
    try:
        _code = main(sys.argv[1:])
    except SystemExit as _exit:  # argparse: help, or a wrong argument
        _code = _exit.code if isinstance(_exit.code, int) else 1
    finally:
        leave(_code)
