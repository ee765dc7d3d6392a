"""Figures, plot and tables of docs/uncertainty.md, from the study's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from Testing.Benchmarks.result_tables import TABLES, read_table
from Testing.Benchmarks.results import RESULTS, record
from Testing.Benchmarks.tables import DOCS, rewrite
from Testing.Studies.coverage_plot import Bar, coverage_svg
from TumorTwinLib.inference.conformal import fit_conformal
from TumorTwinLib.inference.sbc import CalibrationCheck
from TumorTwinLib.metrics import clopper_pearson

LEVELS = (0.5, 0.8, 0.9, 0.95)
RANKED = 99
_LEAST_FITTED = 19
COMMAND = "make study-coverage"
_NAMES = {"whole_tumor": "whole tumor", "core": "core"}
Row = Mapping[str, object]


def _column(rows: Sequence[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], dtype=float)


def _of(rows: Sequence[Row], cohort: str, region: str, horizon: float) -> list[Row]:
    wanted = (cohort, region, horizon)
    return [row for row in rows if (row["cohort"], row["region"], row["horizon_days"]) == wanted]


def coverage_of(rows: Sequence[Row], region: str, horizon: float, level: float, *, calibrated: bool) -> Bar:
    """Share of the test cohort inside, its Clopper-Pearson interval and the mean width in log-volume.

    Calibrated intervals have their factor from the other cohort.
    """
    test = _of(rows, "test", region, horizon)
    observed = _column(test, "observed")
    if calibrated:
        fitted = _of(rows, "conformal", region, horizon)
        factor = fit_conformal(*(_column(fitted, name) for name in ("center", "spread", "observed")), level)
        center, reach = _column(test, "center"), factor * _column(test, "spread")
        low, up = center - reach, center + reach
    else:
        low, up = _column(test, f"lower_{100 * level:g}"), _column(test, f"upper_{100 * level:g}")
    inside = int(((low - 1e-5 <= observed) & (observed <= up + 1e-5)).sum())  # rows are rounded
    return Bar(level, inside / len(test), *clopper_pearson(inside, len(test)), float(np.mean(up - low)))


def ranks(rows: Sequence[Row]) -> CalibrationCheck:
    names = [name for name in rows[0] if name != "seed"]
    return CalibrationCheck({name: _column(rows, name).astype(int) for name in names}, RANKED)


def record_figures(rows: Sequence[Row], replicates: Sequence[Row], *, folder: Path = RESULTS) -> None:
    """Rows of the area ``coverage``; the raw intervals' names are the plain ones."""

    def put(name: str, value: float, unit: str, target: float | None, better) -> None:
        record("coverage", name, value, unit, target, better, COMMAND, folder=folder)

    if replicates:
        inside = ranks(replicates).inside()
        put("sbc_statistics_inside_band_fraction", sum(inside.values()) / len(inside), "", 1.0, "higher")
        put("sbc_n", len(replicates), "replicates", 200, "higher")
    if not rows:
        return
    test = [row for row in rows if row["cohort"] == "test"]
    put("coverage_n", len({row["seed"] for row in test}), "patients", 200, "higher")
    put(
        "coverage_conformal_n",
        len({r["seed"] for r in rows}) - len({r["seed"] for r in test}),
        "patients",
        None,
        "higher",
    )
    for region, prefix in (("whole_tumor", "coverage_volume"), ("core", "coverage_core_volume")):
        for horizon in _horizons(rows):
            for level in (0.9, 0.95):
                name = f"{prefix}_{100 * level:.0f}_{horizon:.0f}d"
                for calibrated in _kinds(rows).values():
                    bar = coverage_of(rows, region, horizon, level, calibrated=calibrated)
                    put(f"{name}_calibrated" if calibrated else name, bar.share, "", None, "higher")
    whole = [row for row in test if row["region"] == "whole_tumor"]
    for other, name in (("two_point", "two_point_exponential"), ("prior", "prior")):
        for what, figure in (("crps", "crps_ratio"), ("width_95", "interval_width_ratio")):
            ratio = _column(whole, f"{what}_twin").sum() / _column(whole, f"{what}_{other}").sum()
            put(f"{figure}_to_{name}", ratio, "", 1.0, "lower")


def text(rows: Sequence[Row], replicates: Sequence[Row]) -> str:
    """The generated part of the page."""
    parts = []
    if rows:
        counts = {c: len({r["seed"] for r in rows if r["cohort"] == c}) for c in ("conformal", "test")}
        parts += [
            f"{counts['test']} patients tested; factors of calibrated intervals from {counts['conformal']} others. "
            "Intervals of shares are Clopper-Pearson's. Widths and CRPS are of log-volume.",
            "",
            "![Observed against nominal coverage](figures/coverage.svg)",
            "",
            "| volume | days ahead | level | raw: inside | width | calibrated: inside | width |",
            "|---|---:|---:|---|---:|---|---:|",
        ]
        for region, called in _NAMES.items():
            for horizon in _horizons(rows):
                for level in (0.9, 0.95):
                    cells = [called, f"{horizon:.0f}", f"{level:.0%}"]
                    for calibrated in _kinds(rows).values():
                        bar = coverage_of(rows, region, horizon, level, calibrated=calibrated)
                        cells += [f"{bar.share:.3f} ({bar.lower:.3f} to {bar.upper:.3f})", f"{bar.width:.2f}"]
                    cells += ["too few to fit", ""] if len(_kinds(rows)) == 1 else []
                    parts.append("| " + " | ".join(cells) + " |")
        parts += [
            "",
            "| volume | days ahead | CRPS: twin | prior | two-point line | 95 % width: twin | prior | two-point line |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for region, called in _NAMES.items():
            for horizon in _horizons(rows):
                test = _of(rows, "test", region, horizon)
                numbers = [
                    f"{_column(test, f'{what}_{method}').mean():.3f}"
                    for what in ("crps", "width_95")
                    for method in ("twin", "prior", "two_point")
                ]
                parts.append("| " + " | ".join([called, f"{horizon:.0f}", *numbers]) + " |")
    if replicates:
        inside = ranks(replicates).inside()
        parts += [
            "",
            f"Simulation-based calibration, {len(replicates)} replicates on 4 mm voxels, ranks among {RANKED} draws:",
            "",
            "| statistic | inside its 95 % simultaneous band |",
            "|---|---|",
            *(f"| `{name}` | {'yes' if fine else '**no**'} |" for name, fine in inside.items()),
        ]
    return "\n".join(parts)


def rewrite_document(tables: Path = TABLES, results: Path = RESULTS, docs: Path = DOCS) -> None:
    rows, replicates = (read_table(name, folder=tables) for name in ("coverage_forecasts", "sbc_ranks"))
    record_figures(rows, replicates, folder=results)
    if rows:
        panels = {f"{horizon:.0f} days ahead": _panel(rows, horizon) for horizon in _horizons(rows)}
        (docs / "figures" / "coverage.svg").write_text(coverage_svg(panels), encoding="utf-8")
    page = docs / "uncertainty.md"
    page.write_text(
        rewrite(page.read_text(encoding="utf-8"), "coverage", f"\n{text(rows, replicates)}\n"), encoding="utf-8"
    )
    print(f"{page.name}: rewritten")


def _panel(rows: Sequence[Row], horizon: float) -> dict[str, list[Bar]]:
    return {
        kind: [coverage_of(rows, "whole_tumor", horizon, level, calibrated=calibrated) for level in LEVELS]
        for kind, calibrated in _kinds(rows).items()
    }


def _kinds(rows: Sequence[Row]) -> dict[str, bool]:
    """Kinds of intervals that there are; with fewer than 19 patients to fit a factor on, none at 95 % is finite."""
    fitted = {row["seed"] for row in rows if row["cohort"] == "conformal"}
    return {"raw": False} | ({"calibrated": True} if len(fitted) >= _LEAST_FITTED else {})


def _horizons(rows: Sequence[Row]) -> list[float]:
    return sorted({float(row["horizon_days"]) for row in rows})  # type: ignore[arg-type]


if __name__ == "__main__":
    rewrite_document()
