"""How scores and predictions are spread over the holdout: what pictures are drawn from, and nothing is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gates.schema.fields import declare


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """How one model's scores are spread over the whole holdout: what its ROC, and other pictures, are drawn from.

    Of two classes it is the score of the positive one; of more it is the score of the class that the model called.
    """

    WRITTEN = "whole"
    model: Literal["candidate", "champion"] = declare("Whose scores.")
    counts: Literal["labels", "calls"] = declare(
        "Whether rows are counted by label, or by whether the call is right.", default="labels", late=True
    )
    bins: tuple[tuple[int, int, int], ...] = declare(
        "(bin of the score, negatives or wrong calls, positives or right calls), rising."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How one model's predictions of a regression lie beside the labels of the whole holdout: what pictures are drawn
    from."""

    WRITTEN = "whole"
    model: Literal["candidate", "champion"] = declare("Whose predictions.")
    edges: tuple[str, ...] = declare("Where bins of labels and predictions begin: tenths of the holdout's labels.")
    cells: tuple[tuple[int, ...], ...] = declare("(bin of the label, bin of the prediction, rows), sorted.")
    residuals: tuple[tuple[int, ...], ...] = declare(
        "(bin of prediction less label, rows), rising: 16 bins for each doubling of its size, less than 0 where the "
        "prediction is too low."
    )
