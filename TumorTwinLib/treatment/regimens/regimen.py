"""A regimen as rules, and the events of one that begins at a given time.

A regimen is a list of courses; a course is one thing given again and again: a fraction, a dose of a drug, a resection.
Its days follow from its rules, the calendar and the courses before it, so that one file serves every start.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from TumorTwinLib.geometry import Image
from TumorTwinLib.treatment.dosing import Body
from TumorTwinLib.treatment.events import DrugDose, RadiotherapyFraction, Surgery, TreatmentEvent, in_order
from TumorTwinLib.treatment.targets import prescribed_dose, with_boost

HOLIDAYS = ((1, 1), (12, 25))  # month and day: the days off that every clinic has; others are given as ``days_off``
_SATURDAY = 5


@dataclass(frozen=True)
class Course:
    """One thing given by a rule.

    Args:
        name: by which later courses of the regimen refer to it.
        kind: ``"radiotherapy"``, ``"drug"`` or ``"surgery"``.
        dose_gy, boost_gy: of a fraction, to the planning target and to the boost inside it.
        drug, amounts, unit: of a dose; one amount a cycle (or a time, without cycles), the last of them for all later
            ones. Units are those of ``dosing.PRESCRIBED_UNITS``.
        infusion_hours: duration, where it matters.
        residual_fraction: of a resection.
        start_day: day of the regimen on which the course may begin, from 1.
        after, gap_days: it begins so many days after the last day of an earlier course instead.
        during: it is given from the first to the last day of an earlier course.
        times, every_days: how often, and how many days apart at least.
        per_day, hours_between: fractions a day and the time between them.
        cycles, cycle_days, on_days: repeated cycles, and the days of each on which it is given, from 1.
        working_days: only on working days: others are passed over, and a cycle's day moves to the next working day.
        delay_hours: after the time of day at which the regimen begins.
    """

    name: str
    kind: str
    dose_gy: float = 0.0
    boost_gy: float | None = None
    drug: str = ""
    amounts: tuple[float, ...] = ()
    unit: str = ""
    infusion_hours: float = 0.0
    residual_fraction: float = 0.0
    start_day: int = 1
    after: str | None = None
    gap_days: int = 1
    during: str | None = None
    times: int = 1
    every_days: int = 1
    per_day: int = 1
    hours_between: float = 6.0
    cycles: int | None = None
    cycle_days: int = 21
    on_days: tuple[int, ...] = (1,)
    working_days: bool = True
    delay_hours: float = 0.0

    def dates(self, start: date, earlier: Mapping[str, Sequence[_Given]], days_off: Collection[date]) -> list[_Given]:
        """The days on which it is given, each with the number of its cycle, from 0."""

        def next_day(day: date) -> date:
            while self.working_days and _is_off(day, days_off):
                day += timedelta(days=1)
            return day

        given: list[_Given] = []
        if self.during is not None:
            day, last = earlier[self.during][0].day, earlier[self.during][-1].day
            while (day := next_day(day)) <= last:
                given.append(_Given(day, len(given)))
                day += timedelta(days=self.every_days)
            return given
        begin = start + timedelta(days=self.start_day - 1)
        if self.after is not None:
            begin = earlier[self.after][-1].day + timedelta(days=self.gap_days)
        for day, cycle in self._planned(next_day(begin)):
            earliest = given[-1].day + timedelta(days=1 if self.cycles else self.every_days) if given else day
            given.append(_Given(next_day(max(day, earliest)), cycle))
        return given

    def _planned(self, begin: date) -> list[tuple[date, int]]:
        """Days as planned, before any is moved; what is given many times begins its n-th cycle with the n-th time."""
        if self.cycles is None:
            return [(begin, number) for number in range(self.times)]
        return [
            (begin + timedelta(days=cycle * self.cycle_days + day - 1), cycle)
            for cycle in range(self.cycles)
            for day in self.on_days
        ]


@dataclass(frozen=True)
class _Given:
    day: date
    cycle: int


def _is_off(day: date, days_off: Collection[date]) -> bool:
    return day.weekday() >= _SATURDAY or (day.month, day.day) in HOLIDAYS or day in days_off


@dataclass(frozen=True)
class BiomarkerRule:
    """Treatment that a biomarker switches: off below one value, on again above another."""

    biomarker: str
    stop_below: float
    resume_above: float

    def treats(self, value: float, treating: bool) -> bool:
        """Whether to treat from now on, at this value of the biomarker."""
        return value >= self.stop_below if treating else value > self.resume_above


@dataclass(frozen=True)
class Regimen:
    """A regimen of the library.

    Args:
        name: unique in the library.
        title: what the panel calls it.
        description: doses and days, in one sentence.
        cancer: name of the model it is for.
        source: where doses and days come from.
        courses: in an order in which each refers to earlier ones only; none is a regimen of watching.
        exploratory: a what-if without evidence in patients, or with evidence against it.
        rule: where a biomarker decides; ``events`` then are those of the fixed plan in the file.
        file: it was read from.
    """

    name: str
    title: str
    description: str
    cancer: str
    source: str
    courses: tuple[Course, ...] = ()
    exploratory: bool = False
    rule: BiomarkerRule | None = None
    file: str = ""

    def events(
        self,
        start: datetime,
        *,
        body_surface_area_m2: float | None = None,
        body: Body | None = None,
        days_off: Collection[date] = (),
        targets: Mapping[str, Image] | None = None,
    ) -> tuple[TreatmentEvent, ...]:
        """The treatments of a regimen that begins at ``start``, in their order.

        Args:
            start: day 1, and the time of day at which patients are treated.
            body_surface_area_m2: doses by area become doses in mg; without it they stay as they are.
            body: with weight and kidney function too, for doses that need them; standard values otherwise.
            days_off: holidays besides ``HOLIDAYS``, interruptions, days of machine service.
            targets: masks by name: ``"ptv"`` makes fractions carry a dose volume, ``"boost"`` adds that of the boost,
                ``"cavity"`` is what a resection takes.
        """
        body = body or Body(surface_area_m2=body_surface_area_m2)
        given: dict[str, list[_Given]] = {}
        events: list[TreatmentEvent] = []
        for course in self.courses:
            given[course.name] = course.dates(start.date(), given, frozenset(days_off))
            times = [
                (
                    datetime.combine(each.day, start.time())
                    + timedelta(hours=course.delay_hours + repeat * course.hours_between),
                    each.cycle,
                )
                for each in given[course.name]
                for repeat in range(course.per_day)
            ]
            events += _events_of(course, times, body, targets or {})
        return in_order(events)


def _events_of(
    course: Course, times: Sequence[tuple[datetime, int]], body: Body, targets: Mapping[str, Image]
) -> list[TreatmentEvent]:
    if course.kind == "surgery":
        return [Surgery(time, targets.get("cavity"), course.residual_fraction) for time, _ in times]
    if course.kind == "radiotherapy":
        dose_map = _dose_map(course, targets)
        return [RadiotherapyFraction(time, course.dose_gy, dose_map) for time, _ in times]
    last = len(course.amounts) - 1
    return [
        DrugDose(
            time, course.drug, *body.administered(course.amounts[min(cycle, last)], course.unit), course.infusion_hours
        )
        for time, cycle in times
    ]


def _dose_map(course: Course, targets: Mapping[str, Image]) -> Image | None:
    """One volume that all fractions of the course share, or None without a planning target."""
    if "ptv" not in targets:
        return None
    dose = prescribed_dose(targets["ptv"], course.dose_gy)
    if course.boost_gy is None or "boost" not in targets:
        return dose
    return with_boost(dose, prescribed_dose(targets["boost"], course.boost_gy))
