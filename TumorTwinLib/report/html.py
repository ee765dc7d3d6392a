"""Write a forecast as one HTML file that needs nothing else: no network, no scripts, no other files."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.forecast import Forecast, ParameterValue
from TumorTwinLib.recommend.record import ComparisonRecord
from TumorTwinLib.report.comparison import calendar_section, comparison_section
from TumorTwinLib.report.intervals import interval_section, posterior_section
from TumorTwinLib.report.numbers import change, milliliters, significant
from TumorTwinLib.report.tables import bullets, date_text, day_text, table, words

PURPOSE = "In-silico research, not a treatment instruction. Not for clinical use."
INTERVAL_LIMIT = (
    "Intervals hold what the model, its priors and the noise of scans allow. Raw ones have not been held against "
    "patients or a cohort; calibrated ones held what they promise on a virtual cohort."
)
LIMITS = (
    "The forecast follows the best-fitting parameters without an interval: the truth may lie outside what is shown.",
    "A parameter the data did not inform keeps its prior value, and so does every consequence of it.",
    "A region is where the modeled cell density exceeds a threshold. Structures smaller than a few voxels, and edema "
    "that holds no tumor cells, are not resolved.",
    "Treatments after the last one listed for the patient are assumed not to happen.",
)
_SAME_TIME_DAYS = 1 / 48  # a scan and an output time closer than this are the same moment


def write_report(
    forecast: Forecast,
    out_path: str | Path,
    figures: Mapping[str, Path] | None = None,
    notices: Sequence[str] = (),
    comparison: ComparisonRecord | None = None,
) -> Path:
    """Write the report of one forecast.

    Args:
        forecast: what to report. ``provenance["inputs"]``, a mapping, is shown with the inputs.
        out_path: the ``.html`` file; it appears whole or not at all.
        figures: PNG files by caption, shown in this order.
        notices: sentences from reading and calibrating that the reader should know.
        comparison: of regimens, if there is one.

    Returns:
        The path written.

    Raises:
        TumorTwinError: a figure is not a readable PNG file.
    """
    out_path = Path(out_path)
    page = _page(forecast, figures or {}, notices, comparison)
    unfinished = out_path.with_name(out_path.name + ".part")
    unfinished.write_text(page, encoding="utf-8")
    os.replace(unfinished, out_path)
    return out_path


def _page(
    forecast: Forecast, figures: Mapping[str, Path], notices: Sequence[str], comparison: ComparisonRecord | None
) -> str:
    rest = {name: value for name, value in forecast.provenance.items() if name != "inputs"}
    sections = [
        ("Inputs", _inputs(forecast)),
        ("Visits: measured and modeled", _visits(forecast)),
        ("Parameters", _parameters(forecast.parameters)),
        ("Posterior", posterior_section(forecast)),
        ("Forecast", _forecast(forecast)),
        ("Intervals", interval_section(forecast)),
        ("Comparison of regimens", comparison_section(comparison)),
        ("Calendars of the regimens", calendar_section(comparison)),
        ("Pictures", _pictures(figures)),
        ("Notices", bullets(notices)),
        ("Limits", bullets(LIMITS if forecast.uncertainty is None else (INTERVAL_LIMIT, *LIMITS[1:]))),
        ("Provenance", table(["What", "Value"], _flat(rest))),
    ]
    body = "\n".join(f"<section>\n<h2>{title}</h2>\n{content}\n</section>" for title, content in sections if content)
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    title = f"TumorTwin forecast: {escape(forecast.patient_id)}"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n"
        f'<p class="purpose">{PURPOSE}</p>\n</header>\n{_headline(forecast)}\n{body}\n</body>\n</html>\n'
    )


def _headline(forecast: Forecast) -> str:
    """Predicted volume of each region at the last output time, against its last measurement."""
    day = float(forecast.days[-1])
    boxes = []
    for region, volume_mm3 in forecast.volume_mm3.items():
        measured = [m for m in forecast.measurements if region in m.volume_mm3]
        against = ""
        if measured:
            then_mm3 = measured[-1].volume_mm3[region]
            against = f"{change(float(volume_mm3[-1]), then_mm3)} from {milliliters(then_mm3)} mL"
            against += f" on day {day_text(measured[-1].day)}"
        value = f"<strong>{milliliters(float(volume_mm3[-1]))} mL</strong>"
        boxes.append(f"<div>{escape(words(region))} on day {day_text(day)}{value}<span>{escape(against)}</span></div>")
    return f'<div class="headline">{"".join(boxes)}</div>'


def _inputs(forecast: Forecast) -> str:
    spacing = " x ".join(f"{s:.3g}" for s in forecast.grid.spacing_mm)
    thresholds = ", ".join(f"{words(name).lower()} {value:.2g}" for name, value in forecast.thresholds.items())
    days = ", ".join(day_text(m.day) for m in forecast.measurements) or "none"
    rows = [
        ("Patient", forecast.patient_id),
        ("Day 0", f"{forecast.start:%Y-%m-%d %H:%M}"),
        ("Scans compared with the model", f"{len(forecast.measurements)} (days {days})"),
        ("Fitted to scans up to", f"day {day_text(forecast.forecast_from_day)}; later days are predictions"),
        ("Grid", " x ".join(map(str, forecast.grid.shape)) + f" voxels of {spacing} mm"),
        ("Cell density thresholds, fraction of capacity", thresholds),
    ]
    given = forecast.provenance.get("inputs", {})
    return table(["What", "Value"], [*rows, *(_flat(given) if isinstance(given, Mapping) else ())])


def _visits(forecast: Forecast) -> str:
    if not forecast.measurements:
        return ""
    rows = []
    for measured in forecast.measurements:
        now = np.flatnonzero(np.abs(forecast.days - measured.day) < _SAME_TIME_DAYS)
        for region, volume_mm3 in measured.volume_mm3.items():
            modeled = float(forecast.volume_mm3[region][now[0]]) if now.size and region in forecast.volume_mm3 else None
            rows.append(
                (
                    day_text(measured.day),
                    date_text(forecast.start, measured.day),
                    "fit" if measured.day <= forecast.forecast_from_day + _SAME_TIME_DAYS else "prediction",
                    words(region),
                    milliliters(volume_mm3),
                    "not computed" if modeled is None else milliliters(modeled),
                    "" if modeled is None else change(modeled, volume_mm3),
                )
            )
    head = ["Day", "Date", "Model is", "Region", "Measured, mL", "Modeled, mL", "Difference"]
    return table(head, rows, numeric={0, 4, 5, 6})


def _parameters(parameters: Iterable[ParameterValue]) -> str:
    informed = {True: "yes", False: "no: rests on its prior", None: "not assessed"}
    rows = [
        (
            f"{p.name} ({p.symbol})",
            significant(p.value),
            "" if p.standard_error is None else significant(p.standard_error),
            p.unit,
            informed[p.informed_by_data],
            p.source,
        )
        for p in parameters
    ]
    head = ["Parameter", "Value", "Standard error", "Unit", "Informed by the data", "Source of the prior"]
    return table(head, rows, numeric={1, 2})


def _forecast(forecast: Forecast) -> str:
    rows = []
    for index, day in enumerate(forecast.days):
        volumes = [milliliters(float(values[index])) for values in forecast.volume_mm3.values()]
        kind = "fit" if day <= forecast.forecast_from_day + _SAME_TIME_DAYS else "prediction"
        count = significant(float(forecast.total_cell_count[index]))
        rows.append((day_text(day), date_text(forecast.start, float(day)), kind, *volumes, count))
    head = ["Day", "Date", "Model is", *(f"{words(region)}, mL" for region in forecast.volume_mm3), "Tumor cells"]
    return table(head, rows, numeric={0, *range(3, len(head))})


def _pictures(figures: Mapping[str, Path]) -> str:
    pictures = []
    for caption, path in figures.items():
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise TumorTwinError(f"The picture {path} of the report cannot be read: make it again.") from error
        if not data.startswith(b"\x89PNG\r\n\x1a\n"):
            raise TumorTwinError(f"The picture {path} of the report is not a PNG file: give a PNG file.")
        source = f"data:image/png;base64,{base64.b64encode(data).decode('ascii')}"
        text = escape(caption)
        pictures.append(f'<figure><img src="{source}" alt="{text}"><figcaption>{text}</figcaption></figure>')
    return f'<div class="pictures">\n{"".join(pictures)}\n</div>' if pictures else ""


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested provenance as (name, text) rows."""
    for name, value in values.items():
        label = f"{prefix}: {name}" if prefix else str(name)
        if isinstance(value, Mapping):
            yield from _flat(value, label)
        elif isinstance(value, list | tuple):
            yield label, ", ".join(map(str, value))
        else:
            yield label, str(value)
