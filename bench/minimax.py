#!/usr/bin/env python3
"""Prints the polynomial tables of ops/math_*_internal.hpp: near-minimax fits, rounded to the working precision.

Method: weighted least squares on Chebyshev nodes in 60-digit arithmetic (within a small factor of the minimax error),
then coefficients are rounded one at a time from the lowest order up and the rest is refitted, so that each rounding is
absorbed by the terms above it. Needs mpmath. Usage: bench/minimax.py [name]
"""
import struct
import sys
from mpmath import mp, mpf, matrix, lu_solve, cos, pi, exp, expm1, log, sin, asin, atan, erf, erfc, sqrt, tanh

mp.dps = 60


def round_to(c, bits):
    """c in the precision named: 32 or 64."""
    return mpf(struct.unpack("f", struct.pack("f", float(c)))[0]) if bits == 32 else mpf(float(c))


def fit(f, weight, lo, hi, degree, bits, fixed=()):
    """c[k] so that sum c[k] x^k is near f on [lo, hi], and the largest weighted error of the rounded table."""
    n = 6 * (degree + 2)
    lo, hi = mpf(lo), mpf(hi)
    xs = [(lo + hi) / 2 + (hi - lo) / 2 * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    ws, ys = [weight(x) for x in xs], [f(x) for x in xs]
    c = [mpf(v) for v in fixed]
    while len(c) <= degree:
        k0, m = len(c), degree + 1 - len(c)
        a, b = matrix(m, m), matrix(m, 1)
        for x, w, y in zip(xs, ws, ys):
            rest = y - sum(ck * x**k for k, ck in enumerate(c))
            row = [w * x ** (k0 + j) for j in range(m)]
            for i in range(m):
                b[i] += row[i] * rest * w
                for j in range(m):
                    a[i, j] += row[i] * row[j]
        c.append(round_to(lu_solve(a, b)[0], bits))
    error = max(abs(w * (y - sum(ck * x**k for k, ck in enumerate(c)))) for x, w, y in zip(xs, ws, ys))
    return c, error


def series(f, at0):
    """f, but its limit at 0 where the formula divides 0 by 0."""
    return lambda x: at0 if abs(x) < mpf(10) ** -12 else f(x)


ln2 = log(mpf(2))
third = mpf(1) / 3
# name: (function, weight, lo, hi, degree for f32, for f64); the weight makes the error relative to the final result.
TABLES = {
    # e^r = 1 + r + r^2 P(r); weighted for expm1, which needs more than exp does near 0.
    "exp": (series(lambda r: (expm1(r) - r) / r**2, mpf(1) / 2), lambda r: abs(r) + mpf("1e-3"), -ln2 / 2, ln2 / 2, 4, 10),
    # tanh x = x + x z P(z), z = x^2, up to 5/8
    "tanh": (series(lambda z: (tanh(sqrt(z)) / sqrt(z) - 1) / z, -third), lambda z: z + mpf("1e-3"), 0, 0.625**2 * 1.001, 5, 12),
    # log((1 + s)/(1 - s)) = 2 s + s z P(z), z = s^2
    "log_s": (series(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, 2 * third), lambda z: z + mpf("1e-4"), 0, 0.04, 2, 7),
    # the same up to s = 1/3, for log1p of [0, 1] without reduction
    "log1p_s": (series(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, 2 * third), lambda z: z + mpf("1e-4"), 0, mpf(1) / 9 * mpf("1.0001"), 3, 10),
    # half of the same beyond the cubic term, as a factor of s z^2: 1/5 + z/7 + ... (pow in double)
    "log_s_tail": (series(lambda z: ((log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) / 2 - 1) / z - third) / z, mpf(1) / 5), lambda z: z * z + mpf("1e-6"), 0, 0.04, 0, 8),
    # sin r = r + r z P(z), cos r = 1 - z/2 + z^2 P(z), z = r^2
    "sin": (series(lambda z: (sin(sqrt(z)) / sqrt(z) - 1) / z, -mpf(1) / 6), lambda z: z + mpf("1e-4"), 0, (pi / 4) ** 2 * 1.01, 3, 6),
    "cos": (series(lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2, mpf(1) / 24), lambda z: z * z + mpf("1e-4"), 0, (pi / 4) ** 2 * 1.01, 2, 6),
    # asin x = x + x z P(z), atan x = x + x z P(z)
    "asin": (series(lambda z: (asin(sqrt(z)) / sqrt(z) - 1) / z, mpf(1) / 6), lambda z: z + mpf("1e-3"), 0, 0.25, 4, 11),
    "atan": (series(lambda z: (atan(sqrt(z)) / sqrt(z) - 1) / z, -third), lambda z: z + mpf("1e-3"), 0, (sqrt(mpf(2)) - 1) ** 2 * 1.001, 4, 10),
    # erf x = x + x P(z) for |x| <= 1 (the x apart keeps the error of the leading term out of the sum)
    "erf": (series(lambda z: erf(sqrt(z)) / sqrt(z) - 1, 2 / sqrt(pi) - 1), lambda z: 1, 0, 1, 6, 12),
    # erfc x = P(x)^-8 or e^P(x) for x > 1; only the absolute error of erfc counts there
    "erfc32": (lambda x: erfc(x) ** (-mpf(1) / 8), lambda x: 8 * erfc(x) ** (mpf(9) / 8), 1, 4, 7, 0),
    "erfc64": (lambda x: log(erfc(x)), lambda x: erfc(x), 1, 6, 0, 19),
    # pow in float computes in double, to about 2^-42: e^r = 1 + r + r^2 P(r)
    "pow_exp": (series(lambda r: (expm1(r) - r) / r**2, mpf(1) / 2), lambda r: r * r + mpf("1e-4"), -ln2 / 2, ln2 / 2, 0, 6),
    "pow_log_s": (series(lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) / sqrt(z) - 2) / z, 2 * third), lambda z: z + mpf("1e-4"), 0, 0.04, 0, 5),
}


def main():
    for name, (f, weight, lo, hi, d32, d64) in TABLES.items():
        if len(sys.argv) > 1 and name != sys.argv[1]:
            continue
        for bits, degree in ((32, d32), (64, d64)):
            if degree == 0:
                continue
            c, error = fit(f, weight, lo, hi, degree, bits)
            text = ["%.9gF" % float(v) if bits == 32 else repr(float(v)) for v in c]
            print(f"{name} f{bits}: degree {degree}, error 2^{float(log(error) / ln2):.1f}\n  {{{', '.join(text)}}}", flush=True)


if __name__ == "__main__":
    main()
