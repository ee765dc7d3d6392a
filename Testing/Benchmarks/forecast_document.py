"""Rewrite docs/forecast.md from the measured tables: ``python -m Testing.Benchmarks.forecast_document``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from Testing.Benchmarks.result_tables import TABLES, Cell, read_table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "forecast.md"
Row = dict[str, Cell]

INTRODUCTION = """\
# Fits and forecasts, held against the truth

`make bench` measures and rewrites this page; the tables are kept in `Testing/Benchmarks/results/tables/`, the worst of
each in [figures.md](figures.md).

## The demo glioblastomas

HGG_demo_001 to 003 are virtual patients of another program, TumorTwin of the Oncology Modeling Group (arXiv
2505.00670): a real head, ten visits 30 days apart, 30 fractions and 74 temozolomide doses. They are not shipped. Their
files were made by that program's solver, which differs from the equation it states in two ways that a correct solver
must find in the data:

- **Half-day steps sample the drug at points.** At temozolomide's half-life of 1.8 hours each dose then kills 63 % more
  than its exact integral. A correct solver needs a larger sensitivity to explain the files. The two treatments overlap
  in time, so the excess is shared between alpha_RT and alpha_TMZ; what the scans show is their sum, the log kill
  (figures `*_excess_log_kill`). In 002 growth is so fast that a slightly smaller k explains part of it as well.
- **Its stencil at the brain's wall does not conserve cells** and stops all flux in parts one or two voxels thick. A
  conserving solver explains the same scans with a diffusivity about 4 % higher, and fills thin parts that stay empty in
  the files: 33 mL of brain in the end, which is why a brain full of tumour is forecast 2 % too large.

*Correct data* are the same patient grown by a converged reference on a conserving stencil, rounded to ADC integers as
the files are. *Noisy scans* are these with 5 % ADC noise and contours displaced by about one voxel. The model starts
from the first scan and takes it as exact; noise in it is the largest error by far, and standard errors do not know of
it. With the first scan exact and noise in all others, errors are what their standard errors say.
"""

SOLVER = """\
### Error and cost of one solve

![Error against CPU seconds: this solver and the peer](figures/hgg001_error_vs_cpu.svg)

Patient 001 over 270 days, relative L2 over the brain, the largest of the ten visits, against the converged reference.
Without chemotherapy the peer's own fields are right in time, yet differ from any conserving solver's at the wall
(`hgg001_nochemo_rel_l2_max`): so do two converged runs, one with each stencil, by as much
(`hgg001_peer_wall_stencil_rel_l2_max`). In the three quarters of the brain over 6 mm from its wall the fields agree
(`hgg001_nochemo_rel_l2_max_6_mm_from_wall`).
"""

FORECASTS = """\
### Forecasts of visits 6 to 10

Calibrated on visits 1 to 5 from the prior medians, with nothing tuned and nothing later looked at. Regions are voxels
of cellularity 0.25 and more (whole) and 0.65 and more (core), in the forecast as in the scan: the demo's own regions of
interest hold every voxel with any cells at all, down to one part in 3000, and no scan has such contours. CCC is the
concordance of cellularity over the brain's voxels; where all of the brain is full it compares nothing but the thin
parts above. The noisy patient is compared with its truth without noise.
"""

SAMPLE = """\
## The shipped patient

Grown by a different program with uneven proliferation, other tissue contrast and noise (`Resources/SampleData`), and
calibrated as `make demo` does. Forecasts see neither the scans nor the truth they are held against.
"""


def main(tables: Path = TABLES, document: Path = DOCUMENT) -> None:
    document.write_text(text(tables), encoding="utf-8")
    print(f"{document.name}: rewritten")


def text(tables: Path = TABLES) -> str:
    """The whole page."""
    fits = read_table("hgg001_calibrations", folder=tables) + read_table("hgg_fits", folder=tables)
    return "\n".join(
        [
            INTRODUCTION,
            SOLVER,
            "### Parameters found",
            "",
            _fits_table(fits),
            "",
            FORECASTS,
            _forecasts_table(read_table("hgg_forecasts", folder=tables)),
            "",
            SAMPLE,
            _forecasts_table(read_table("sample_forecasts", folder=tables)),
            "",
        ]
    )


def _fits_table(rows: Sequence[Row]) -> str:
    """A line a fit: every parameter as found, its standard error and whether the truth is in its 95 % interval."""
    lines = []
    for case, own in _grouped(rows, "case"):
        cells = [
            f"{row['found']:.4g} ({row['error_percent']:+.2g} %, s.e. {row['standard_error_percent']:.2g} %)"
            for row in own
        ]
        inside = sum(row["truth_in_95_percent_interval"] == "yes" for row in own)
        solves, cpu_s = own[0]["model_solves"], own[0]["cpu_seconds"]
        lines.append([case, *cells, f"{inside} of {len(own)}", own[0]["status"], f"{solves:.0f}", f"{cpu_s:.0f}"])
    head = ["fit", "D, mm2/day", "k, 1/day", "alpha_RT, 1/Gy", "alpha_TMZ, 1/day", "truth in 95 %", "ended", "solves"]
    return _markdown([*head, "CPU-s"], lines)


def _forecasts_table(rows: Sequence[Row]) -> str:
    """A line a day of forecast, the whole tumour and its core side by side."""
    lines = []
    forecasts = [row for row in rows if row["kind"] == "forecast"]
    for case, of_case in _grouped(forecasts, "case"):
        for day, of_day in _grouped(of_case, "day"):
            by_region = {row["region"]: row for row in of_day}
            agreement = [cell for region in ("whole_tumor", "core") for cell in _agreement(by_region[region])]
            either = of_day[0]
            lines.append([case, f"{day:.0f}", *agreement, _number(either["ccc"], ".3f")])
    head = [
        f"{region} {what}" for region in ("whole", "core") for what in ("mL, forecast / seen", "error %", "Dice", "mm")
    ]
    return _markdown(["case", "day", *head, "CCC"], lines)


def _agreement(row: Row) -> list[str]:
    volumes = f"{row['predicted_ml']:.1f} / {row['measured_ml']:.1f}"
    return [
        volumes,
        _number(row["volume_error_percent"], "+.1f"),
        _number(row["dice"], ".3f"),
        _number(row["com_mm"], ".2f"),
    ]


def _number(cell: Cell, form: str) -> str:
    return "" if cell is None else format(cell, form)


def _grouped(rows: Iterable[Row], key: str) -> list[tuple[Cell, list[Row]]]:
    groups: dict[Cell, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return list(groups.items())


def _markdown(head: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


if __name__ == "__main__":
    main()
