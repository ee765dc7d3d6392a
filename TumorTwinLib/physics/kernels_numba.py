"""The fused CPU kernels: one pass over memory per polynomial stage, for all ensemble members and their tangents.

A stage is ``out = alpha u + gamma (v + s L v) + omega out`` with ``s = 2 / rate_bound``; the last stage of a step also
applies the reaction's Moebius map. Tangent ``m`` also receives ``dD_m (d_alpha u_0 + d_gamma (v_0 + s L v_0))``, the
derivative of the base's stage by diffusivity. Work goes row by row: a row is computed into a buffer that stays in the
first-level cache and then moved to its place, so that ``out`` may be read where it is written, which saves an array,
and the loops still vectorise. Rows of the base and of its tangents follow each other while they share coefficients.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

# Contraction and reassociation let loops vectorise; NaN and infinity keep their meaning so that a failed run is seen.
_FASTMATH = {"contract", "reassoc", "nsz", "arcp"}
_compiled: Callable[[Callable], Callable] = numba.njit(fastmath=_FASTMATH, error_model="numpy", nogil=True, cache=True)
_inlined: Callable[[Callable], Callable] = numba.njit(inline="always")  # a call costs as much as a dozen voxels
_ONE = np.uintp(1)
_BLOCK = 8  # rows done for one field before the next: long enough for the prefetcher, short enough to stay in cache
_TINY = 1e-30  # below this a tail is zero: float32 denormals would make every later pass many times slower


@_inlined
def _row(y, to, u, v, w, faces, scale, alpha, gamma, omega, start, voxel, count, row, plane, volume):
    """y[to:][:count] = alpha u + gamma (v + scale L v) + omega w, along one row.

    Arrays are flat, for views cost as much as a short row: neighbours are 1, ``row`` and ``plane`` apart; ``start`` is
    the row's place in the fields and ``voxel`` in each of the three face arrays, which are ``volume`` apart. Unsigned
    indices cannot mean "from the end", a possibility that would keep the loop from being vectorised.
    """
    field, faces0, to = numba.uintp(start), numba.uintp(voxel), numba.uintp(to)
    row, plane = numba.uintp(row), numba.uintp(plane)
    faces1, faces2 = faces0 + numba.uintp(volume), faces0 + numba.uintp(2 * volume)
    for k in range(numba.uintp(max(count, 0))):
        q = field + k
        c = v[q]
        flux = faces[faces0 + k] * (v[q - plane] - c) + faces[faces0 + k + plane] * (v[q + plane] - c)
        flux += faces[faces1 + k] * (v[q - row] - c) + faces[faces1 + k + row] * (v[q + row] - c)
        flux += faces[faces2 + k] * (v[q - _ONE] - c) + faces[faces2 + k + _ONE] * (v[q + _ONE] - c)
        y[to + k] = alpha * u[q] + gamma * (c + scale * flux) + omega * w[q]


@_inlined
def _add_row(y, to, weight, alpha, u, start, gamma, place, count):
    """y[to:] += weight (alpha u[start:] + gamma y[place:])."""
    to, start, place = numba.uintp(to), numba.uintp(start), numba.uintp(place)
    for k in range(numba.uintp(max(count, 0))):
        y[to + k] += weight * (alpha * u[start + k] + gamma * y[place + k])


@_inlined
def _copy_row(y, to, u, start, count):
    """y[to:] = u[start:]"""
    to, start = numba.uintp(to), numba.uintp(start)
    for k in range(numba.uintp(max(count, 0))):
        y[to + k] = u[start + k]


@_inlined
def _react_row(out, to, y, start, count, a, b):
    """out[to:] = a y / (1 + b y), the Moebius map of the base."""
    one, zero, tiny = y.dtype.type(1), y.dtype.type(0), y.dtype.type(_TINY)
    to, start = numba.uintp(to), numba.uintp(start)
    for k in range(numba.uintp(max(count, 0))):
        value = a * y[start + k] / (one + b * y[start + k])
        out[to + k] = zero if abs(value) < tiny else value


@_inlined
def _react_tangent_row(out, to, y, start, base, count, a, b, da, db):
    """out[to:] = the derivative of the map of y[base:] by a parameter, where y[start:] is that of y[base:]."""
    one, zero, tiny = y.dtype.type(1), y.dtype.type(0), y.dtype.type(_TINY)
    to, start, base = numba.uintp(to), numba.uintp(start), numba.uintp(base)
    for k in range(numba.uintp(max(count, 0))):
        c = y[base + k]
        inverse = one / (one + b * c)
        value = a * inverse * inverse * (y[start + k] - db * c * c) + da * c * inverse
        out[to + k] = zero if abs(value) < tiny else value


@_compiled
def stage(out, u, v, faces, scale, rows, alpha, gamma, omega, d_alpha, d_gamma, d_diffusivity, react, a, b, da, db):
    """One polynomial stage for all members.

    Args:
        out, u, v: (E, 1 + P, X, Y, Z); ``out`` is neither of the others.
        faces: (3, X, Y, Z) face coefficients; rows: (2, X, Y) where the mask begins and ends in every row.
        alpha, gamma, d_alpha, d_gamma: (E,); omega: scalar weight of what ``out`` holds, which is not read where zero.
        d_diffusivity: (E, 1 + P) derivative of each member's diffusivity by each parameter, zero for the base.
        react: apply the Moebius map with a, b (E,) and its derivatives da, db (E, 1 + P).
    """
    members, fields, planes, lines, row = u.shape
    plane = lines * row
    volume = planes * plane
    out, u, v, faces = out.reshape(-1), u.reshape(-1), v.reshape(-1), faces.reshape(-1)
    w = out if omega != 0 else u
    y = np.zeros((1 + fields) * _BLOCK * row, u.dtype)  # rows of x(v) of the base, then the result of every field
    zero, one = u.dtype.type(0), u.dtype.type(1)
    for i in range(1, planes - 1):
        for e in range(members):
            base = e * fields * volume
            first = -1 if fields > 1 and d_gamma[e] != 0 else 0
            for j0 in range(1, lines - 1, _BLOCK):
                block = min(_BLOCK, lines - 1 - j0)
                for m in range(first, fields):
                    al, ga, om = (alpha[e], gamma[e], omega) if m >= 0 else (zero, one, zero)
                    for r in range(block):
                        lo = rows[0, i, j0 + r]
                        count = rows[1, i, j0 + r] - lo
                        at = i * plane + (j0 + r) * row + lo
                        to = ((1 + m) * _BLOCK + r) * row
                        start = base + max(m, 0) * volume + at
                        _row(y, to, u, v, w, faces, scale, al, ga, om, start, at, count, row, plane, volume)
                        if m > 0 and d_diffusivity[e, m] != 0:
                            _add_row(y, to, d_diffusivity[e, m], d_alpha[e], u, base + at, d_gamma[e], r * row, count)
                for m in range(fields):
                    for r in range(block):
                        lo = rows[0, i, j0 + r]
                        count = rows[1, i, j0 + r] - lo
                        to = base + m * volume + i * plane + (j0 + r) * row + lo
                        start, start0 = ((1 + m) * _BLOCK + r) * row, (_BLOCK + r) * row
                        if not react:
                            _copy_row(out, to, y, start, count)
                        elif m == 0:
                            _react_row(out, to, y, start, count, a[e], b[e])
                        else:
                            _react_tangent_row(out, to, y, start, start0, count, a[e], b[e], da[e, m], db[e, m])


@_compiled
def react(u, rows, a, b, da, db):
    """The Moebius map alone, in place: half a reaction step at the ends of an interval."""
    members, fields, planes, lines, row = u.shape
    plane = lines * row
    volume = planes * plane
    u = u.reshape(-1)
    y = np.empty(fields * row, u.dtype)
    for e in range(members):
        for i in range(1, planes - 1):
            for j in range(1, lines - 1):
                lo = rows[0, i, j]
                count = rows[1, i, j] - lo
                base = e * fields * volume + i * plane + j * row + lo
                for m in range(fields):
                    _copy_row(y, m * row, u, base + m * volume, count)
                _react_row(u, base, y, 0, count, a[e], b[e])
                for m in range(1, fields):
                    _react_tangent_row(u, base + m * volume, y, m * row, 0, count, a[e], b[e], da[e, m], db[e, m])


@_compiled
def largest_near_faces(u, reach):
    """(3, 2) largest ``|u|`` of any member within ``reach`` voxels of the lower and the upper end of each axis."""
    found = np.zeros((3, 2))
    for axis in range(3):
        for side in range(2):
            slab = np.array([[1, u.shape[2] - 1], [1, u.shape[3] - 1], [1, u.shape[4] - 1]])
            if side == 0:
                slab[axis, 1] = min(1 + reach, slab[axis, 1])
            else:
                slab[axis, 0] = max(slab[axis, 1] - reach, 1)
            top = u.dtype.type(0)
            for e in range(u.shape[0]):
                for i in range(slab[0, 0], slab[0, 1]):
                    for j in range(slab[1, 0], slab[1, 1]):
                        for k in range(slab[2, 0], slab[2, 1]):
                            top = max(top, abs(u[e, 0, i, j, k]))
            found[axis, side] = top
    return found


@_compiled
def squared_difference(u, v):
    """(2, E) sums of ``(u - v)^2`` and ``v^2`` of each member's base field."""
    sums = np.zeros((2, u.shape[0]))
    volume = u.shape[2] * u.shape[3] * u.shape[4]
    for e in range(u.shape[0]):
        a, b = u[e, 0].reshape(-1), v[e, 0].reshape(-1)
        gap_squared, size_squared = 0.0, 0.0
        for k in range(numba.uintp(volume)):
            size = np.float64(b[k])
            gap = a[k] - size
            gap_squared += gap * gap
            size_squared += size * size
        sums[0, e], sums[1, e] = gap_squared, size_squared
    return sums
