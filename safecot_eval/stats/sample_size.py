"""How small a paired difference a benchmark can show, and how many items a difference needs.

Source: Connor, Biometrics 43 (1987) 207, the unconditional power of McNemar's test: with discordant share psi and
difference delta, sqrt(n) * delta = z_alpha * sqrt(psi) + z_power * sqrt(psi - delta**2).
"""

from __future__ import annotations

import math

from scipy import special

from safecot_eval.stats.crossing import crossing


def power(n: float, effect: float, discordant: float, alpha: float = 0.05) -> float:
    """Probability that two models that differ by ``effect`` are told apart on ``n`` shared items.

    Args:
        n: Items (the effective number, where items are clustered).
        effect: Difference of the two rates, 0 to 1.
        discordant: Share of the items on which the models disagree, at least ``effect``.
        alpha: Two-sided level; divide by the number of comparisons for Holm's first step.

    Raises:
        ValueError: an argument is out of its range.
    """
    delta = abs(effect)
    if not (0 < discordant <= 1 and delta <= discordant and n > 0 and 0 < alpha < 1):
        raise ValueError("need n > 0, 0 < alpha < 1 and 0 <= effect <= discordant <= 1")
    z = -float(special.ndtri(alpha / 2))
    gap, spread = math.sqrt(n) * delta, math.sqrt(max(discordant - delta**2, 1e-15))
    reject = z * math.sqrt(discordant)
    return float(special.ndtr((gap - reject) / spread) + special.ndtr((-reject - gap) / spread))


def minimum_detectable_difference(
    n: float, discordant: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest difference of two rates that ``n`` shared items show with the given power.

    Args:
        n: Items (the effective number, where items are clustered).
        discordant: Share of the items on which the models disagree.
        alpha: Two-sided level.
        power: Wanted probability of a significant result.

    Returns:
        The difference, or NaN if even the largest possible one (``discordant``) would be missed too often.

    >>> round(minimum_detectable_difference(167, 0.1), 3)
    0.068
    """
    reach = _power(n, discordant, discordant, alpha)
    if reach < power:
        return math.nan
    return crossing(lambda d: _power(n, d, discordant, alpha) - power, discordant, 0.0)


def items_needed(effect: float, discordant: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Shared items needed to show ``effect`` with the given power (Connor's sample size, rounded up).

    Raises:
        ValueError: ``effect`` is 0 or larger than ``discordant``.
    """
    delta = abs(effect)
    if not 0 < delta <= discordant <= 1:
        raise ValueError("need 0 < effect <= discordant <= 1")
    z_alpha, z_power = -float(special.ndtri(alpha / 2)), float(special.ndtri(power))
    root = z_alpha * math.sqrt(discordant) + z_power * math.sqrt(max(discordant - delta**2, 0.0))
    return math.ceil((root / delta) ** 2 - 1e-9)


_power = power  # the keyword argument `power` of the functions above hides the name
