"""Dates for visits that have none, such as ``..._time1_seg`` and ``..._time2_seg`` of a research collection."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.imaging.scan_index import ScanIndex

DEFAULT_INTERVAL_DAYS = 90.0  # between follow-up scans of a glioma, as usual under treatment
FIRST_DAY = datetime(2000, 1, 1)  # plainly no date of a visit; only the days between visits count
_ORDER = re.compile(r"(?<![a-z])(?:time|timepoint|tp|visit|scan|ses)[ _\-]?(\d{1,3})(?!\d)", re.IGNORECASE)


def with_dates(index: ScanIndex, interval_days: float | None = None) -> tuple[ScanIndex, tuple[str, ...]]:
    """The index with dates for all, and what to tell the user.

    Where no series that is used has a date, the numbers in the names (``time1``, ``visit-02``, ``ses-3``) put the
    visits in order, ``interval_days`` apart. An index in which any has a date is returned as it is.

    Raises:
        TumorTwinError: the interval is not positive.
    """
    if interval_days is not None and not 0 < interval_days < float("inf"):
        raise TumorTwinError(f"The interval between visits is {interval_days:g} days: give a number above zero.")
    used = [series for series in index.series if series.modality]
    if not used or any(series.time is not None for series in used):
        return index, ()
    numbers = {series.key: _number(series.description) for series in index.series}
    order = sorted({numbers[series.key] for series in used})
    apart = timedelta(days=interval_days or DEFAULT_INTERVAL_DAYS)
    dates = {
        key: (FIRST_DAY + apart * order.index(number)).isoformat() for key, number in numbers.items() if number in order
    }
    dated = index.confirm(dates=dates)
    if len(order) == 1:
        return dated, ("The scans have no date: they were taken for one visit.",)
    said = "as given" if interval_days is not None else "an assumption: give interval_days if you know better"
    return dated, (
        f"The {len(order)} visits have no dates; they are {apart.total_seconds() / 86400:g} days apart, {said}. "
        "Growth rates scale with it.",
    )


def _number(description: str) -> int:
    found = _ORDER.search(description)
    return int(found.group(1)) if found else 0
