"""How well colours can be read and told apart: the published formulas, for tests of themes.

Colours are (red, green, blue) of sRGB, 0 to 255 each.
"""

from __future__ import annotations

import math
from typing import Final

RGB = tuple[int, int, int]
Lab = tuple[float, float, float]
Matrix = tuple[tuple[float, float, float], ...]

#: Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
#: Deficiency, IEEE TVCG 15(6), 2009; their tables for severity 1.0, over linear RGB.
DEUTERANOPIA: Final[Matrix] = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
PROTANOPIA: Final[Matrix] = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
#: IEC 61966-2-1 (sRGB): linear RGB to CIE XYZ, of which the white is D65.
_XYZ: Final[Matrix] = (
    (0.4124, 0.3576, 0.1805),
    (0.2126, 0.7152, 0.0722),
    (0.0193, 0.1192, 0.9505),
)
_WHITE: Final = (0.95047, 1.0, 1.08883)


def _times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def _linear(colour: RGB) -> tuple[float, ...]:
    parts = (part / 255 for part in colour)
    return tuple(p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast ratio of WCAG 2.1, from 1 to 21."""
    low, high = sorted(_times(_XYZ, _linear(colour))[1] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def seen_with(deficiency: Matrix, colour: RGB) -> RGB:
    """Return the colour as which somebody with a deficiency of colour vision sees a colour."""
    linear = (min(max(part, 0.0), 1.0) for part in _times(deficiency, _linear(colour)))
    parts = [12.92 * p if p <= 0.0031308 else 1.055 * p ** (1 / 2.4) - 0.055 for p in linear]
    red, green, blue = (round(part * 255) for part in parts)
    return red, green, blue


def lab(colour: RGB) -> Lab:
    """Return L*, a* and b* of CIE 1976."""
    ratios = zip(_times(_XYZ, _linear(colour)), _WHITE, strict=True)
    x, y, z = (
        r ** (1 / 3) if (r := part / white) > (6 / 29) ** 3 else r / (3 * (6 / 29) ** 2) + 4 / 29
        for part, white in ratios
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: RGB, other: RGB) -> float:
    """Return the colour difference CIEDE2000, of which about 1 can just be noticed."""
    return difference(lab(one), lab(other))


def difference(one: Lab, other: Lab) -> float:
    """Return CIEDE2000 of two colours; after Sharma, Wu, Dalal, Color Res. Appl. 30(1), 2005."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    mean_c7 = ((math.hypot(a1, b1) + math.hypot(a2, b2)) / 2) ** 7
    g = 1.5 - 0.5 * math.sqrt(mean_c7 / (mean_c7 + 25.0**7))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = (math.degrees(math.atan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    turn = h2 - h1 if c1 * c2 else 0.0
    turn += 360 if turn < -180 else -360 if turn > 180 else 0
    d_h = 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn) / 2)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    mean_h = h1 + h2 if not c1 * c2 else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * math.cos(math.radians(mean_h - 30))
        + 0.24 * math.cos(math.radians(2 * mean_h))
        + 0.32 * math.cos(math.radians(3 * mean_h + 6))
        - 0.20 * math.cos(math.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / math.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    about = math.radians(60 * math.exp(-(((mean_h - 275) / 25) ** 2)))
    r_t = -2 * math.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * math.sin(about)
    by_l, by_c, by_h = (l2 - l1) / s_l, (c2 - c1) / s_c, d_h / s_h
    return math.sqrt(by_l**2 + by_c**2 + by_h**2 + r_t * by_c * by_h)
