"""The fused CPU kernels: one pass over memory per polynomial stage, for all ensemble members and their tangents.

A stage is ``out = alpha u + gamma (v + s L v) + omega w`` with ``s = 2 / rate_bound``; the last stage of a step also
applies the reaction's Moebius map. Tangent ``m`` additionally receives ``dD_m (d_alpha u_0 + d_gamma (v_0 + s L v_0))``,
the derivative of the base's stage with respect to diffusivity. Work goes row by row, so that a row of the base and of
all its tangents share the coefficients while these are in the first-level cache.
"""

from __future__ import annotations

import numba
import numpy as np

# Contraction and reassociation let the loops vectorise; NaN and infinity keep their meaning so that a failed run is seen.
_JIT = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "error_model": "numpy", "nogil": True, "cache": True}
_ONE = np.uintp(1)
_BLOCK = 8  # rows done for one field before the next: long enough for the prefetcher, short enough to stay in cache
_TINY = 1e-30  # below this a tail is zero: float32 denormals would make every later pass many times slower


@numba.njit(**_JIT)
def _row(y, u, v, w, faces, scale, alpha, gamma, omega, react, a, b, i, j, lo, hi):
    """y[:] = alpha u + gamma (v + scale L v) + omega w along one row, then the Moebius map if ``react``."""
    one, zero, tiny = u.dtype.type(1), u.dtype.type(0), u.dtype.type(_TINY)
    if lo < 1:  # never so; it tells the compiler that no index is negative, without which it does not vectorise
        return
    for k in range(numba.uintp(lo), numba.uintp(hi)):
        c = v[i, j, k]
        flux = faces[0, i, j, k] * (v[i - 1, j, k] - c) + faces[0, i + 1, j, k] * (v[i + 1, j, k] - c)
        flux += faces[1, i, j, k] * (v[i, j - 1, k] - c) + faces[1, i, j + 1, k] * (v[i, j + 1, k] - c)
        flux += faces[2, i, j, k] * (v[i, j, k - _ONE] - c) + faces[2, i, j, k + _ONE] * (v[i, j, k + _ONE] - c)
        value = alpha * u[i, j, k] + gamma * (c + scale * flux) + omega * w[i, j, k]
        if react:
            value = a * value / (one + b * value)
            value = value if abs(value) > tiny else zero
        y[k] = value


@numba.njit(**_JIT)
def stage(out, u, v, w, faces, scale, rows, box, alpha, gamma, omega, d_alpha, d_gamma, d_diffusivity, react, a, b, da, db):
    """One polynomial stage for all members.

    Args:
        out, u, v, w: (E, 1 + P, X, Y, Z); ``out`` is none of the others (a loop that may overwrite what it reads is
            not vectorised and runs three times slower).
        faces: (3, X, Y, Z) face coefficients; rows: (2, X, Y); box: (3, 2) active box in state voxels.
        alpha, gamma, d_alpha, d_gamma: (E,); omega: scalar weight of ``w`` (pass ``w = u`` when it is zero).
        d_diffusivity: (E, 1 + P) derivative of each member's diffusivity by each parameter, zero for the base.
        react: apply the Moebius map ``u -> a u / (1 + b u)`` with a, b (E,) and its derivatives da, db (E, 1 + P).
    """
    members, fields = u.shape[0], u.shape[1]
    result = np.empty((_BLOCK, fields, u.shape[4]), u.dtype)
    shifted = np.empty((_BLOCK, u.shape[4]), u.dtype)
    zero, one = u.dtype.type(0), u.dtype.type(1)
    for i in range(box[0, 0], box[0, 1]):
        for e in range(members):
            al, ga, dal, dga, ae, be = alpha[e], gamma[e], d_alpha[e], d_gamma[e], a[e], b[e]
            lone = fields == 1 and react
            for j0 in range(box[1, 0], box[1, 1], _BLOCK):
                block = min(_BLOCK, box[1, 1] - j0)
                for m in range(fields):
                    weight = d_diffusivity[e, m]
                    for r in range(block):
                        j = j0 + r
                        lo = max(rows[0, i, j], box[2, 0])
                        hi = min(rows[1, i, j], box[2, 1])
                        if m == 0 and fields > 1 and dga != 0:
                            _row(shifted[r], u[e, 0], v[e, 0], u[e, 0], faces, scale, zero, one, zero, False, ae, be, i, j, lo, hi)
                        y = result[r, m] if react and not lone else out[e, m, i, j]
                        _row(y, u[e, m], v[e, m], w[e, m], faces, scale, al, ga, omega, lone, ae, be, i, j, lo, hi)
                        if weight != 0:
                            base = u[e, 0, i, j]
                            for k in range(numba.uintp(lo), numba.uintp(hi)):
                                y[k] += weight * (dal * base[k])
                            if dga != 0:
                                for k in range(numba.uintp(lo), numba.uintp(hi)):
                                    y[k] += weight * (dga * shifted[r, k])
                if react and not lone:
                    for r in range(block):
                        j = j0 + r
                        lo = max(rows[0, i, j], box[2, 0])
                        hi = min(rows[1, i, j], box[2, 1])
                        _react_row(result[r], out[e], ae, be, da[e], db[e], i, j, lo, hi)


@numba.njit(**_JIT)
def _react_row(y, out, a, b, da, db, i, j, lo, hi):
    """Moebius map of one row and its derivative in every tangent."""
    one, zero, tiny = y.dtype.type(1), y.dtype.type(0), y.dtype.type(_TINY)
    if lo < 1:
        return
    y0 = y[0]
    for m in range(1, out.shape[0]):
        target, ym = out[m, i, j], y[m]
        dam, dbm = da[m], db[m]
        for k in range(numba.uintp(lo), numba.uintp(hi)):
            inverse = one / (one + b * y0[k])
            share = a * inverse * inverse
            value = share * (ym[k] - dbm * y0[k] * y0[k]) + dam * y0[k] * inverse
            target[k] = value if abs(value) > tiny else zero
    target = out[0, i, j]
    for k in range(numba.uintp(lo), numba.uintp(hi)):
        value = a * y0[k] / (one + b * y0[k])
        target[k] = value if abs(value) > tiny else zero


@numba.njit(**_JIT)
def react(u, rows, box, a, b, da, db):
    """The Moebius map alone, in place: half a reaction step at the ends of an interval."""
    result = np.empty((u.shape[1], u.shape[4]), u.dtype)
    for e in range(u.shape[0]):
        for i in range(box[0, 0], box[0, 1]):
            for j in range(box[1, 0], box[1, 1]):
                lo = max(rows[0, i, j], box[2, 0])
                hi = min(rows[1, i, j], box[2, 1])
                if lo < 1:
                    continue
                for m in range(u.shape[1]):
                    row, y = u[e, m, i, j], result[m]
                    for k in range(numba.uintp(lo), numba.uintp(hi)):
                        y[k] = row[k]
                _react_row(result, u[e], a[e], b[e], da[e], db[e], i, j, lo, hi)


@numba.njit(**_JIT)
def largest_near_faces(u, box, reach):
    """(6,) largest ``|u|`` of any member within ``reach`` voxels of each face of the box: lower, upper of each axis."""
    found = np.zeros(6)
    for side in range(6):
        slab = box.copy()
        axis = side // 2
        if side % 2 == 0:
            slab[axis, 1] = min(box[axis, 0] + reach, box[axis, 1])
        else:
            slab[axis, 0] = max(box[axis, 1] - reach, box[axis, 0])
        top = u.dtype.type(0)
        for e in range(u.shape[0]):
            for i in range(slab[0, 0], slab[0, 1]):
                for j in range(slab[1, 0], slab[1, 1]):
                    for k in range(slab[2, 0], slab[2, 1]):
                        top = max(top, abs(u[e, 0, i, j, k]))
        found[side] = top
    return found
