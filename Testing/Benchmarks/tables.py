"""Rewrite the tables of docs/figures.md from the measured rows: ``python -m Testing.Benchmarks.tables``."""

from __future__ import annotations

from pathlib import Path

from Testing.Benchmarks.results import RESULTS, Row, reached, read

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


def _number(value: float) -> str:
    return f"{value:.4g}"


def _line(row: Row) -> str:
    bound = {"lower": "at most", "higher": "at least"}[row["better"]]
    target = "" if row["target"] is None else f"{bound} {_number(row['target'])}"
    verdict = {True: "yes", False: "**no**", None: ""}[reached(row)]
    name, command = f"`{row['name']}`", f"`{row['command']}`"
    return "| " + " | ".join([name, _number(row["value"]), row["unit"], target, verdict, command, row["date"]]) + " |"


def area_table(area: str, rows: list[Row]) -> str:
    """One area as Markdown: a heading, the machine or machines, a table."""
    machines = "; ".join(sorted({row["machine"] for row in rows}))
    head = "| figure | value | unit | target | reached | command | date |\n|---|---:|---|---|---|---|---|"
    return "\n".join([f"### {area}", "", f"Measured on: {machines}.", "", head, *map(_line, rows)])


def rewrite(document: str, tables: str) -> str:
    """The document with what stands between the markers replaced."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document has no {BEGIN} ... {END} block")
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main(results: Path = RESULTS, document: Path = DOCUMENT) -> None:
    areas = sorted(path.stem for path in results.glob("*.json"))
    tables = "\n\n".join(area_table(area, read(area, folder=results)) for area in areas)
    document.write_text(rewrite(document.read_text(encoding="utf-8"), tables), encoding="utf-8")
    print(f"{document.name}: {len(areas)} areas")


if __name__ == "__main__":
    main()
