"""Several populations and the dead: against an ODE solver, against the single population, with tangents, in space."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from Testing.physics.problems import ball, block, rate
from TumorTwinLib.errors import TumorTwinError
from TumorTwinLib.physics.populations import PopulationReaction
from TumorTwinLib.physics.reaction import Drug, FieldKill, GrowthChange, InstantKill, LogisticReaction, Rate, Resection
from TumorTwinLib.physics.solver import SolverSettings, solve

RHO, SENSITIVITY, DECAY, CLEARANCE, SHARE = 0.08, 2.0, 9.242, 0.05, 0.3
DOSE_DAYS, FRACTION_DAYS = np.array([1.25, 2.25, 5.5]), (1.25, 3.0, 3.25)
LOG_KILL = 0.4
EXACT = SolverSettings(1e-6, "float64")


def population(resistance: float = 1.0, parameters=(), **more) -> LogisticReaction:
    """``resistance`` scales every kill; derivatives by (rho, sensitivity, log kill) where asked."""
    zero = np.zeros(len(parameters))

    def of(value: float, name: str, scale: float = 1.0) -> Rate:
        slope = zero.copy()
        if name in parameters:
            slope[list(parameters).index(name)] = value * scale
        return rate(value * scale, slope)

    return LogisticReaction(
        of(RHO, "rho"),
        (Drug(of(SENSITIVITY, "sensitivity", resistance), DECAY, DOSE_DAYS, np.array([1.0, 2.0, 1.0])),),
        tuple(InstantKill(day, of(LOG_KILL, "kill", resistance)) for day in FRACTION_DAYS),
        **more,
    )


def two(parameters=(), clearance: float | None = CLEARANCE, **more) -> PopulationReaction:
    slope = np.zeros(len(parameters))
    if "share" in parameters:
        slope[list(parameters).index("share")] = SHARE
    k_slope = np.zeros(len(parameters))
    if "clearance" in parameters:
        k_slope[list(parameters).index("clearance")] = CLEARANCE
    return PopulationReaction(
        (population(1.0, parameters, **more), population(0.2, parameters, **more)),
        (rate(1 - SHARE, -slope), rate(SHARE, slope)),
        None if clearance is None else rate(clearance, k_slope),
    )


def by_ode(u0: np.ndarray, end: float, rho: float = RHO) -> np.ndarray:
    """(s, r, w) at ``end`` from an initial value solver that stops at every event."""

    def slope(t, y):
        given = t >= DOSE_DAYS
        level = np.sum(np.array([1.0, 2.0, 1.0])[given] * np.exp(-DECAY * (t - DOSE_DAYS[given])))
        kill = SENSITIVITY * level * np.array([1.0, 0.2])
        living = y[:2]
        return [*(rho * living * (1 - living.sum()) - kill * living), (kill * living).sum() - CLEARANCE * y[2]]

    y, day = np.array(u0, float), 0.0
    for stop in [*sorted({*DOSE_DAYS, *FRACTION_DAYS}), end]:
        if stop > end:
            break
        y = solve_ivp(slope, (day, stop - 1e-13), y, rtol=1e-11, atol=1e-14, max_step=0.02).y[:, -1]
        day = stop
        if stop in FRACTION_DAYS:
            survival = np.exp(-LOG_KILL * np.array([1.0, 0.2]))
            y[2] += ((1 - survival) * y[:2]).sum()
            y[:2] *= survival
    return y


@pytest.mark.parametrize("u0", [[0.5, 0.2, 0.0], [0.01, 0.9, 0.3]])
def test_the_flow_is_the_solution_of_the_equations(u0):
    flow = two().flow(0.0, 9.0)
    state = np.array(u0, float)[:, None, None, None, None]
    flow.apply(state)
    np.testing.assert_allclose(state.ravel(), by_ode(np.array(u0), 9.0), rtol=1e-7)


def test_a_flow_in_pieces_is_the_flow():
    reaction, edges = two(("rho", "kill")), [0.0, 1.25, 1.7, 3.0, 3.1, 9.0]
    rng = np.random.default_rng(3)
    whole = rng.uniform(0.05, 0.4, (3, 3, 2, 1, 1))
    pieces = whole.copy()
    reaction.flow(0.0, 9.0).apply(whole)
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        reaction.flow(left, right).apply(pieces)
    np.testing.assert_allclose(pieces, whole, rtol=1e-6)


def test_one_population_without_dead_is_the_plain_reaction():
    plain = population()
    one = PopulationReaction((plain,), (rate(1.0),))
    field = ball((9, 8, 7), 2.5)
    found, expected = (
        solve(block((9, 8, 7)), field[None, None], reaction, rate(0.2), [4.0, 9.0], settings=EXACT)
        for reaction in (one, plain)
    )
    np.testing.assert_allclose(found.cellularity, expected.cellularity, rtol=1e-12, atol=1e-15)


def test_equal_populations_are_one():
    plain = population()
    both = PopulationReaction((plain, plain), (rate(0.25), rate(0.75)))
    field = ball((9, 8, 7), 2.5)
    found, expected = (
        solve(block((9, 8, 7)), field[None, None], reaction, rate(0.2), [9.0], settings=EXACT)
        for reaction in (both, plain)
    )
    np.testing.assert_allclose(found.cellularity, expected.cellularity, rtol=1e-5)


def test_the_dead_are_seen_where_they_died_and_fade():
    """One fraction kills half at once: nothing is seen to change, then half of it fades with the clearance."""
    kill = LogisticReaction(rate(0.0), instants=(InstantKill(1.0, rate(math.log(2))),))
    reaction = PopulationReaction((kill,), (rate(1.0),), rate(CLEARANCE))
    field = ball((9, 9, 9), 2.5)
    run = solve(block((9, 9, 9)), field[None, None], reaction, rate(0.0), [1.0, 1.0 + 1e-9, 15.0], settings=EXACT)
    before, after, later = run.cellularity[:, 0]
    np.testing.assert_allclose(before, field, rtol=1e-12)
    np.testing.assert_allclose(after, field, rtol=1e-7)
    np.testing.assert_allclose(later, field * (0.5 + 0.5 * math.exp(-CLEARANCE * 14)), rtol=1e-9)


def test_dead_cells_do_not_move():
    kill = LogisticReaction(rate(0.0), instants=(InstantKill(0.0, rate(50.0)),))
    field = ball((9, 9, 9), 2.0)
    reaction = PopulationReaction((kill,), (rate(1.0),), rate(1e-12))
    run = solve(block((9, 9, 9)), field[None, None], reaction, rate(1.0), [5.0], settings=EXACT)
    np.testing.assert_allclose(run.cellularity[0, 0], field, rtol=1e-9)


def test_a_map_kills_each_population_by_its_own_coefficient_and_leaves_the_dead():
    shape = (6, 5, 4)
    dose = np.linspace(0.0, 3.0, 6)[:, None, None] * np.ones(shape)
    populations = tuple(
        LogisticReaction(rate(0.0), fields=(FieldKill(2.0, rate(alpha), dose),)) for alpha in (0.5, 0.1)
    )
    reaction = PopulationReaction(populations, (rate(0.6), rate(0.4)), rate(CLEARANCE))
    run = solve(block(shape), np.full((1, 1, *shape), 0.5), reaction, rate(0.0), [12.0], settings=EXACT)
    left = 0.6 * np.exp(-0.5 * dose) + 0.4 * np.exp(-0.1 * dose)
    np.testing.assert_allclose(run.cellularity[0, 0], 0.5 * (left + (1 - left) * math.exp(-CLEARANCE * 10)), rtol=1e-9)


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("name", ["rho", "sensitivity", "kill", "share", "clearance"])
def test_tangents_against_central_differences(backend, name):
    """Sparse outputs, events between them, on frozen steps; derivatives by the logarithm of each."""
    shape, names = (7, 6, 5), ("rho", "sensitivity", "kill", "share", "clearance")
    field = ball(shape, 2.0)
    dose = np.linspace(0.0, 3.0, 7)[:, None, None] * np.ones(shape)

    def run(factor: dict[str, float], plan=None, parameters=()):
        g = globals()
        kept = {key: g[key] for key in ("RHO", "SENSITIVITY", "LOG_KILL", "SHARE", "CLEARANCE")}
        key = {"rho": "RHO", "sensitivity": "SENSITIVITY", "kill": "LOG_KILL", "share": "SHARE"}
        try:
            for which, times in factor.items():
                g[key.get(which, "CLEARANCE")] *= times
            reaction = two(parameters, CLEARANCE, fields=(FieldKill(4.0, rate(0.1, np.zeros(len(parameters))), dose),))
        finally:
            g.update(kept)
        initial = np.zeros((1, 1 + len(parameters), *shape))
        initial[0, 0] = field
        diffusivity = rate(0.3, np.zeros(len(parameters)))
        settings = SolverSettings(1e-4, "float64", backend=backend)
        return solve(block(shape), initial, reaction, diffusivity, [9.0], settings=settings, plan=plan)

    found = run({}, parameters=names)
    step = 1e-4
    high, low = (run({name: math.exp(sign * step)}, found.plan).cellularity[0, 0] for sign in (1, -1))
    difference = (high - low) / (2 * step)
    tangent = found.tangents[0, 0, names.index(name)]
    assert np.linalg.norm(difference) > 1e-4 * np.linalg.norm(found.cellularity)
    assert np.linalg.norm(tangent - difference) < 1e-5 * np.linalg.norm(difference)


def test_growth_that_changes_holds_for_all():
    reaction = replace(two(), changes=(GrowthChange(4.0, rate(0.01)),))
    assert 4.0 in reaction.event_days
    whole, parts = (np.array([0.3, 0.1, 0.0])[:, None, None, None, None].copy() for _ in range(2))
    reaction.flow(0.0, 8.0).apply(whole)
    two().flow(0.0, 4.0).apply(parts)
    late = PopulationReaction(
        tuple(LogisticReaction(rate(0.01), p.drugs, p.instants) for p in two().populations),
        (rate(0.7), rate(0.3)), rate(CLEARANCE),
    )  # fmt: skip
    late.flow(4.0, 8.0).apply(parts)
    np.testing.assert_allclose(whole, parts, rtol=1e-9)


def test_a_horizon_in_pieces_is_one_run():
    """Restarting needs the state of every population: through the flow and the solver alike, to 1e-6."""
    shape = (7, 6, 5)
    field, plain = ball(shape, 2.0), population()
    settings = SolverSettings(1e-7, "float64")
    days = [2.0, 4.5, 9.0]
    whole = solve(block(shape), field[None, None], plain, rate(0.2), days, settings=settings).cellularity[-1]
    state, start = field[None, None], 0.0
    for day in days:
        run = solve(block(shape), state, plain, rate(0.2), [day], start_day=start, settings=settings)
        state, start = run.cellularity[-1][:, None], day
    np.testing.assert_allclose(state[:, 0], whole, rtol=1e-6, atol=1e-9)


def test_populations_must_share_one_growth():
    other = LogisticReaction(rate(0.2))
    with pytest.raises(TumorTwinError, match="must share growth"):
        PopulationReaction((LogisticReaction(rate(0.1)), other), (rate(0.5), rate(0.5)))
    changing = LogisticReaction(rate(0.2), changes=(GrowthChange(4.0, rate(0.01)),))
    with pytest.raises(TumorTwinError, match="must share growth"):
        PopulationReaction((other, changing), (rate(0.5), rate(0.5)))
    with pytest.raises(TumorTwinError, match="one share for each population"):
        PopulationReaction((other, other), (rate(0.5), rate(0.6)))


CAVITY = np.zeros((9, 9, 9), bool)
CAVITY[3:6, 3:6, 3:6] = True


@pytest.mark.parametrize("residual", [0.0, 0.1])
@pytest.mark.parametrize("clearance", [None, CLEARANCE])
@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_a_resection(residual, clearance, backend):
    """The residual grows on; without one the cavity is closed for good, and no cell is lost through its wall."""
    resection = Resection(2.0, CAVITY, residual)
    reaction = LogisticReaction(rate(0.0), resections=(resection,))
    if clearance is not None:
        reaction = PopulationReaction((reaction,), (rate(1.0),), rate(clearance))
    field = np.full((9, 9, 9), 0.3)
    settings = SolverSettings(1e-6, "float64", backend=backend)
    run = solve(block((9, 9, 9)), field[None, None], reaction, rate(0.5), [2.0, 2.0 + 1e-9, 30.0], settings=settings)
    before, after, later = run.cellularity[:, 0]
    np.testing.assert_allclose(before, 0.3, rtol=1e-9)
    np.testing.assert_allclose(after[CAVITY], residual * 0.3, rtol=1e-5)
    assert later.sum() == pytest.approx(after.sum(), rel=1e-9)
    if residual == 0:
        assert not later[CAVITY].any()
        np.testing.assert_allclose(later[~CAVITY], 0.3, rtol=1e-9)
    else:
        assert later[CAVITY].min() > 0.1  # neighbours move in


def test_a_resection_comes_before_a_fraction_of_the_same_minute():
    """A dose map and a resection at one time: cells taken out do not die first, so none are left to be cleared."""
    kills = {"fields": (FieldKill(1.0, rate(1.0), np.full((9, 9, 9), math.log(2))),)}
    reaction = PopulationReaction(
        (LogisticReaction(rate(0.0), resections=(Resection(1.0, CAVITY, 0.5),), **kills),), (rate(1.0),), rate(1e-9)
    )
    run = solve(block((9, 9, 9)), np.full((1, 1, 9, 9, 9), 0.4), reaction, rate(0.0), [1.0 + 1e-6], settings=EXACT)
    np.testing.assert_allclose(run.cellularity[0, 0][CAVITY], 0.2, rtol=1e-6)
    np.testing.assert_allclose(run.cellularity[0, 0][~CAVITY], 0.4, rtol=1e-6)


def test_an_infusion_kills_as_much_as_its_exposure():
    """A plateau with a beginning and an end is made of decays, one of rate zero."""
    k, hours, amount = 3.0, 46.0, 2.0
    days = hours / 24
    level = amount / (days * k)
    parts = (
        Drug(rate(0.5), k, np.array([1.0, 1.0 + days]), np.array([-level, level])),
        Drug(rate(0.5), 0.0, np.array([1.0, 1.0 + days]), np.array([level, -level])),
    )
    flow = LogisticReaction(rate(0.0), parts).flow(0.0, 40.0)
    assert -math.log(flow.a[0]) == pytest.approx(0.5 * amount / k, rel=1e-9)
    halfway = LogisticReaction(rate(0.0), parts).flow(0.0, 2.0)
    assert -math.log(halfway.a[0]) == pytest.approx(0.5 * level * (1 - (1 - math.exp(-k)) / k), rel=1e-9)


def test_trackers_see_the_living_apart():
    from TumorTwinLib.physics.trackers import Tracker

    class Watch(Tracker):
        def output(self, day, fields):
            self.seen, self.living = fields.cellularity().sum(), fields.living().sum()

    watch = Watch()
    kill = LogisticReaction(rate(0.0), instants=(InstantKill(1.0, rate(math.log(4))),))
    reaction = PopulationReaction((kill,), (rate(1.0),), rate(1e-12))
    field = np.full((1, 1, 3, 3, 3), 0.4)
    solve(block((3, 3, 3)), field, reaction, rate(0.0), [2.0], settings=EXACT, trackers=[watch])
    assert watch.seen == pytest.approx(0.4 * 27)
    assert watch.living == pytest.approx(0.1 * 27)
