"""Negative binomial and gamma probabilities for whole arrays at once, in numpy alone; demand of h days is one of the
two.

Sources: Lanczos (1964) for ln Γ; Press et al., Numerical Recipes, 3rd ed., 6.2 and 6.4 (series, continued fractions by
Lentz, quadrature for large shapes); Wilson & Hilferty (1931) for the first guess of a gamma quantile.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GAMMA_ABOVE_MEAN = 60.0  # beyond it the steps of the negative binomial no longer matter, and gamma is quicker
SMALLEST_DISPERSION = 1.02  # variance / mean; just above Poisson, so that the negative binomial's shape stays finite
_EPSILON = 1e-12
_TINY = 1e-300
_MOST_STEPS = 2_000
_QUADRATURE_FROM_SHAPE = 100.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
# Lanczos, g = 7, nine terms (Godfrey's coefficients): relative error below 1e-14 for arguments from one half.
_LANCZOS = (
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
)


def log_gamma(x: ArrayLike) -> Floats:
    """ln Γ(x) for x > 0 (Lanczos 1964, g = 7); below one half by Γ(x) = Γ(x + 1) / x."""
    given = np.asarray(x, float)
    is_small = given < 0.5
    at = np.where(is_small, given + 1.0, given) - 1.0
    total = np.full(at.shape, _LANCZOS[0])
    for place, coefficient in enumerate(_LANCZOS[1:], start=1):
        total += coefficient / (at + place)
    shifted = at + 7.5
    found = 0.5 * np.log(2 * np.pi) + (at + 0.5) * np.log(shifted) - shifted + np.log(total)
    return np.asarray(np.where(is_small, found - np.log(np.where(is_small, given, 1.0)), found))


def gamma_cdf(x: ArrayLike, shape: ArrayLike) -> Floats:
    """P(X ≤ x) of a gamma variable with that shape and scale 1 (Numerical Recipes 6.2)."""
    at, a = (np.array(one, float) for one in np.broadcast_arrays(x, shape))
    found = np.zeros(at.shape)
    is_large = (a >= _QUADRATURE_FROM_SHAPE) & (at > 0)
    is_series = ~is_large & (at > 0) & (at < a + 1)
    is_fraction = ~is_large & (at > 0) & (at >= a + 1)
    if is_large.any():
        found[is_large] = _gamma_by_quadrature(at[is_large], a[is_large])
    if is_series.any():
        found[is_series] = _gamma_by_series(at[is_series], a[is_series])
    if is_fraction.any():
        found[is_fraction] = 1 - _gamma_tail_by_fraction(at[is_fraction], a[is_fraction])
    return np.clip(found, 0.0, 1.0)


def _gamma_by_series(x: Floats, a: Floats) -> Floats:
    term = 1 / a
    total, divisor = term.copy(), a.copy()
    for _ in range(_MOST_STEPS):
        divisor += 1
        term *= x / divisor
        total += term
        if (term < total * _EPSILON).all():
            break
    return np.asarray(total * np.exp(-x + a * np.log(x) - log_gamma(a)))


def _gamma_tail_by_fraction(x: Floats, a: Floats) -> Floats:
    b = x + 1 - a
    c = np.full(x.shape, 1 / _TINY)
    d = 1 / b
    total = d.copy()
    for step in range(1, _MOST_STEPS):
        numerator = -step * (step - a)
        b += 2
        d = 1 / _away_from_zero(numerator * d + b)
        c = _away_from_zero(b + numerator / c)
        total *= d * c
        if (np.abs(d * c - 1) < _EPSILON).all():
            break
    return np.asarray(np.exp(-x + a * np.log(x) - log_gamma(a)) * total)


def _gamma_by_quadrature(x: Floats, a: Floats) -> Floats:
    """The nearer tail by 32-point Gauss–Legendre (Numerical Recipes 6.2.4): steps do not grow with the shape."""
    peak = a - 1
    width = np.sqrt(peak)
    is_right = x > peak
    far = np.where(
        is_right,
        np.maximum(peak + 11.5 * width, x + 6 * width),
        np.maximum(0.0, np.minimum(peak - 7.5 * width, x - 5 * width)),
    )
    middle, half = (far + x) / 2, (far - x) / 2
    total = np.zeros(x.shape)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        at = np.maximum(middle + half * node, _TINY)
        total += weight * np.exp(-(at - peak) + peak * (np.log(at) - np.log(peak)))
    tail = total * half * np.exp(peak * (np.log(peak) - 1) - log_gamma(a))
    return np.asarray(np.where(is_right, 1 - tail, -tail))


def _away_from_zero(x: Floats) -> Floats:
    return np.asarray(np.where(np.abs(x) < _TINY, _TINY, x))


def beta_cdf(x: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    """The regularised incomplete beta function I_x(a, b) by its continued fraction (Numerical Recipes 6.4)."""
    at, first, second = (np.array(one, float) for one in np.broadcast_arrays(x, a, b))
    is_swapped = at > (first + 1) / (first + second + 2)
    near = np.where(is_swapped, 1 - at, at)
    left = np.where(is_swapped, second, first)
    right = np.where(is_swapped, first, second)
    inside = np.clip(near, _TINY, 1 - 1e-16)
    scale = log_gamma(left + right) - log_gamma(left) - log_gamma(right) + left * np.log(inside)
    front = np.exp(scale + right * np.log1p(-inside)) / left
    found = np.where(
        near <= 0, 0.0, front * _beta_fraction(inside.ravel(), left.ravel(), right.ravel()).reshape(at.shape)
    )
    return np.clip(np.where(is_swapped, 1 - found, found), 0.0, 1.0)


def _beta_fraction(x: Floats, a: Floats, b: Floats) -> Floats:
    """Lentz's continued fraction; what has settled leaves the arrays, so that few slow ones do not hold up the many."""
    answer = np.empty(x.size)
    places = np.arange(x.size)
    c = np.ones(x.size)
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    total = d.copy()
    for step in range(1, _MOST_STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        d = 1 / _away_from_zero(1 + even * d)
        c = _away_from_zero(1 + even / c)
        total *= d * c
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        d = 1 / _away_from_zero(1 + odd * d)
        c = _away_from_zero(1 + odd / c)
        total *= d * c
        if step % 4 == 0:
            is_open = np.abs(d * c - 1) > _EPSILON
            answer[places[~is_open]] = total[~is_open]
            if not is_open.any():
                return answer
            places = places[is_open]
            x, a, b, c, d, total = (np.asarray(one[is_open]) for one in (x, a, b, c, d, total))
    answer[places] = total
    return answer


def gamma_quantile(q: ArrayLike, shape: ArrayLike) -> Floats:
    """The x with P(X ≤ x) = q of a gamma variable with scale 1.

    First guess by Wilson & Hilferty (1931), x ≈ a(1 − 1/9a + z/√9a)³, then Newton steps held inside a bracket.
    """
    probability, a = (np.array(one, float) for one in np.broadcast_arrays(q, shape))
    guess = a * (1 - 1 / (9 * a) + normal_quantile(probability) / (3 * np.sqrt(a))) ** 3
    # Near zero the density is x^(a−1)/Γ(a), which gives the small quantiles of small shapes.
    near_zero = np.exp((np.log(probability) + log_gamma(a + 1)) / a)
    x = np.maximum(np.where(guess > 0.1 * a, guess, np.minimum(near_zero, a)), _TINY)
    low, high = np.zeros(x.shape), np.full(x.shape, np.inf)
    for _ in range(100):
        error = gamma_cdf(x, a) - probability
        low, high = np.where(error < 0, x, low), np.where(error < 0, high, x)
        density = np.exp(np.clip((a - 1) * np.log(x) - x - log_gamma(a), -700, 700))
        step = x - error / density
        halfway = np.where(np.isinf(high), 2 * x, (low + high) / 2)
        following = np.where((step > low) & (step < high), step, halfway)
        is_settled = np.abs(following - x) <= 1e-10 * np.maximum(x, _TINY)
        x = np.maximum(following, _TINY)
        if is_settled.all():
            break
    return np.asarray(x)


def normal_quantile(q: ArrayLike) -> Floats:
    """z with Φ(z) = q to 4.5e-4 (Abramowitz & Stegun 26.2.23): good enough to start from."""
    given = np.asarray(q, float)
    t = np.sqrt(-2 * np.log(np.minimum(given, 1 - given)))
    z = t - (2.515517 + 0.802853 * t + 0.010328 * t**2) / (1 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3)
    return np.asarray(np.where(given < 0.5, -z, z))


def negative_binomial_cdf(units: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Floats:
    """P(D ≤ units) with that mean and variance = dispersion × mean: I_p(r, units + 1), p = 1/dispersion, r =
    mean/(dispersion − 1).
    """
    whole, average, phi = np.broadcast_arrays(np.floor(np.asarray(units, float)), mean, dispersion)
    shape = np.maximum(average, _TINY) / (np.maximum(phi, SMALLEST_DISPERSION) - 1)
    found = beta_cdf(1 / np.maximum(phi, SMALLEST_DISPERSION), shape, np.maximum(whole, 0) + 1)
    return np.asarray(np.where(whole < 0, 0.0, np.where(average <= 0, 1.0, found)))


def negative_binomial_quantile(q: ArrayLike, mean: ArrayLike, dispersion: ArrayLike) -> Floats:
    """The smallest whole number k with P(D ≤ k) ≥ q, by adding up P(k+1) = P(k)·(k + r)/(k + 1)·(1 − p) from zero."""
    probability, average, phi = (np.array(one, float).ravel() for one in np.broadcast_arrays(q, mean, dispersion))
    answer = np.zeros(probability.size)
    phi = np.maximum(phi, SMALLEST_DISPERSION)
    shape = np.maximum(average, _TINY) / (phi - 1)
    mass = np.exp(-shape * np.log(phi))
    reached, fail = mass.copy(), 1 - 1 / phi
    places = np.arange(probability.size)
    count = 0
    while True:
        # The sum may stop a rounding short of a probability next to one; a mass of nothing ends it.
        is_open = (reached < probability) & ~((mass < _TINY) & (count > average[places]))
        answer[places[~is_open]] = count
        if not is_open.any():
            break
        if not is_open.all():
            places, probability, shape, mass, reached, fail = (
                one[is_open] for one in (places, probability, shape, mass, reached, fail)
            )
        mass = mass * (count + shape) / (count + 1) * fail
        reached = reached + mass
        count += 1
    return answer.reshape(np.broadcast_shapes(np.shape(q), np.shape(mean), np.shape(dispersion)))


def probability_of_at_least(units: ArrayLike, *, mean: ArrayLike, dispersion: ArrayLike, is_whole: ArrayLike) -> Floats:
    """P(demand ≥ units): negative binomial where units are whole and the mean is at most 60, gamma elsewhere."""
    wanted, average, phi, whole = np.broadcast_arrays(np.asarray(units, float), mean, dispersion, is_whole)

    def counted(places: Bools) -> Floats:
        return 1 - negative_binomial_cdf(np.ceil(wanted[places]) - 1, average[places], phi[places])

    def measured(places: Bools) -> Floats:
        return 1 - gamma_cdf(np.maximum(wanted[places], 0) / phi[places], average[places] / phi[places])

    found = _by_family(average, whole, counted, measured)
    return np.asarray(np.where(wanted <= 0, 1.0, found))


def quantile(q: ArrayLike, *, mean: ArrayLike, dispersion: ArrayLike, is_whole: ArrayLike) -> Floats:
    """The demand that is not exceeded with probability q: a whole number up to a mean of 60 where units are whole."""
    probability, average, phi, whole = np.broadcast_arrays(np.asarray(q, float), mean, dispersion, is_whole)

    def counted(places: Bools) -> Floats:
        return negative_binomial_quantile(probability[places], average[places], phi[places])

    def measured(places: Bools) -> Floats:
        return phi[places] * gamma_quantile(probability[places], average[places] / phi[places])

    return _by_family(average, whole, counted, measured)


def _by_family(
    mean: NDArray[np.float64], is_whole: Bools, counted: Callable[[Bools], Floats], measured: Callable[[Bools], Floats]
) -> Floats:
    found = np.zeros(mean.shape)
    is_counted = (mean > 0) & is_whole & (mean <= GAMMA_ABOVE_MEAN)
    is_measured = (mean > 0) & ~is_counted
    if is_counted.any():
        found[is_counted] = counted(is_counted)
    if is_measured.any():
        found[is_measured] = measured(is_measured)
    return found
