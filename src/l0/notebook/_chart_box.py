"""What a box says of many values: quartiles, whiskers and points, however many there are.

They are counted here, since a hundred thousand values in a figure are megabytes of a notebook.
"""

from __future__ import annotations

from typing import Any, Final

EACH: Final = 2000
"""Up to so many values of a chart are a point each."""

_FAR: Final = 100  # points of a box, where not each value is one


def box_of(values: Any, *, each: bool) -> tuple[dict[str, list[float]], Any]:
    """The numbers of a box as plotly names them, and which of the values are its points.

    Whiskers end at the last value within one and a half boxes' width. Points are all values, or
    the least, the most, and up to a hundred of those beyond the whiskers.
    """
    import numpy as np

    low, middle, high = np.percentile(values, (25, 50, 75), method="hazen")  # as plotly does
    reach = 1.5 * (high - low)
    least = values[values >= low - reach].min()
    most = values[values <= high + reach].max()
    told = {"q1": low, "median": middle, "q3": high, "lowerfence": least, "upperfence": most}
    if each:
        points = np.arange(len(values))
    else:
        order = np.argsort(values, kind="stable")
        far = (values[order] < least) | (values[order] > most)
        far[[0, -1]] = True
        beyond = order[far]
        some = np.linspace(0, len(beyond) - 1, min(_FAR, len(beyond))).round().astype(int)
        points = beyond[some]
    return {name: [round(float(value), 6)] for name, value in told.items()}, points
