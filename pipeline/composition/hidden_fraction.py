"""How much of an object others hide: what counts as hidden, the distribution that is asked for, the one reached.

An object's hidden fraction is 1 - px_count_visib / px_count_all. Bands are its tenths: band b holds [b / 10, (b + 1) /
10), the last one also what is wholly hidden. A distribution is (BANDS,) shares of a category's objects that sum to 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from pipeline.core.tables import CATEGORY_IDS

BANDS = 10
# An object hidden by less stands in the open, by more it is one of the occluded that the data set is for.
OPEN_TO = 0.1
# A cutout's soft edge costs its neighbours a pixel or two: below this nothing is hidden that one could see.
_SEEN_FROM = 0.01
EVEN = "0-10: 1/3, 10-90: 2/3"
_EXPECTED = f"expected percentages and their share of the objects, as in {EVEN!r}"
_RANGE = re.compile(r"(\d+)\s*-\s*(\d+)\s*:\s*([\d.]+)(?:\s*/\s*([\d.]+))?")
_SUM_TOLERANCE = 0.005


def hidden_fraction(visible_fraction: np.ndarray) -> np.ndarray:
    """(N,) float64 of the column visible_fraction (N,)."""
    return 1 - np.asarray(visible_fraction, float)


def partly_hidden(hidden: np.ndarray) -> np.ndarray:
    """(N,) bool: so much is hidden that one sees it, of hidden fractions (N,); the wholly hidden included."""
    return np.asarray(hidden) > _SEEN_FROM


def band_of(hidden: np.ndarray) -> np.ndarray:
    """(N,) band of hidden fractions (N,)."""
    # float32 fractions of a tenth fall on either side of it.
    return np.clip((np.asarray(hidden, float) * BANDS + 1e-6).astype(int), 0, BANDS - 1)


def parse_wanted(text: str) -> dict[str, np.ndarray]:
    """Distributions by category of a text: ranges of percent with their shares, spread evenly over their tenths.

    A category's own follow its name, `;` parts them: "0-10: 1/3, 10-90: 2/3; person 0-10: 0.5, 10-60: 0.5"; what comes
    without a name is for every other category. Raises ValueError, in one line, for anything else.
    """
    given: dict[str, np.ndarray] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, ranges = _named(part)
        if name and name not in CATEGORY_IDS:
            raise ValueError(f"hidden_fraction: expected a category of {', '.join(CATEGORY_IDS)}, got {name!r}")
        if name in given:
            raise ValueError(f"hidden_fraction: expected one distribution of {name or 'all'}, got two in {text!r}")
        given[name] = _distribution(ranges, name or "all categories")
    missing = [name for name in CATEGORY_IDS if name not in given and "" not in given]
    if missing:
        raise ValueError(f"hidden_fraction: expected a distribution of {missing[0]}, got none in {text!r}; {_EXPECTED}")
    return {name: given.get(name, given.get("", np.empty(0))) for name in CATEGORY_IDS}


def _named(part: str) -> tuple[str, str]:
    """The category at the front of a part, "" for none, and the rest."""
    word = re.match(r"[^\W\d]\w*", part)
    return (word.group(), part[word.end() :].lstrip(" :")) if word else ("", part)


def _distribution(ranges: str, whose: str) -> np.ndarray:
    shares = np.zeros(BANDS)
    for item in ranges.split(","):
        found = _RANGE.fullmatch(item.strip())
        if found is None:
            raise ValueError(f"hidden_fraction of {whose}: {_EXPECTED}, got {item.strip()!r}")
        low, high = int(found[1]), int(found[2])
        if low % 10 or high % 10 or not 0 <= low < high <= 100:
            raise ValueError(f"hidden_fraction of {whose}: expected tens from 0 to 100, got {item.strip()!r}")
        try:
            share = float(found[3]) / float(found[4] or 1)
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"hidden_fraction of {whose}: {_EXPECTED}, got {item.strip()!r}") from None
        shares[low // 10 : high // 10] += share / ((high - low) // 10)
    if abs(shares.sum() - 1) > _SUM_TOLERANCE:
        raise ValueError(f"hidden_fraction of {whose}: expected shares that sum to 1, they sum to {shares.sum():.4g}")
    return shares / shares.sum()


def distributions(category: np.ndarray, hidden: np.ndarray) -> dict[str, np.ndarray]:
    """What is reached: distributions by category of objects of categories (N,) with hidden fractions (N,); zeros of a
    category without objects."""
    band, reached = band_of(hidden), {}
    for name in CATEGORY_IDS:
        counts = np.bincount(band[np.asarray(category) == name], minlength=BANDS)
        reached[name] = counts / max(counts.sum(), 1)
    return reached


def occluded_share(distribution: np.ndarray) -> float:
    """Share of the objects of a distribution that are hidden by more than OPEN_TO."""
    return float(np.asarray(distribution)[round(OPEN_TO * BANDS) :].sum())


def plain(distributions_by_category: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    """The same as plain numbers of four digits, for the manifest."""
    return {name: [round(float(share), 4) for share in shares] for name, shares in distributions_by_category.items()}
