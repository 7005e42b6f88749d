"""What Evidently and NannyML say of live windows by their defaults: run by ``monitor.py`` in an environment of
``locks/monitor-peers.txt``, with telemetry off.

    monitor_peers.py PEER REFERENCE LIVE ROWS WINDOWS   prints JSON: version, alarms of each window, and
seconds of a window (the median)

LIVE holds the windows after each other, of ROWS rows each; of these, the first WINDOWS are looked at.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

Looked = tuple[list[bool], list[float]]  # of each window: whether any column alarms; seconds


def evidently(reference: Any, live: Any, rows: int, windows: int) -> Looked:
    """The preset of drift: it counts the columns that have drifted."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    alarms, seconds = [], []
    for place in range(windows):
        window = live.iloc[place * rows : (place + 1) * rows].reset_index(drop=True)
        start = time.perf_counter()
        made = Report([DataDriftPreset()]).run(window, reference).dict()
        seconds.append(time.perf_counter() - start)
        drifted = next(one["value"]["count"] for one in made["metrics"] if "DriftedColumnsCount" in str(one))
        alarms.append(drifted > 0)
    return alarms, seconds


def nannyml(reference: Any, live: Any, rows: int, windows: int) -> Looked:
    """Univariate drift, a chunk a window, in reference and live rows alike."""
    import nannyml as nml

    columns = list(reference.columns)
    calculator = nml.UnivariateDriftCalculator(column_names=columns, chunk_size=rows)
    calculator.fit(reference)
    alarms, seconds = [], []
    for place in range(windows):
        window = live.iloc[place * rows : (place + 1) * rows].reset_index(drop=True)
        start = time.perf_counter()
        table = calculator.calculate(window).filter(period="analysis").to_df()
        seconds.append(time.perf_counter() - start)
        flags = table[[name for name in table.columns if name[-1] == "alert"]]
        alarms.append(bool(flags.any(axis=None)))
    return alarms, seconds


PEERS: dict[str, Callable[[Any, Any, int, int], Looked]] = {"evidently": evidently, "nannyml": nannyml}


def main() -> None:
    """Print what a peer says."""
    warnings.simplefilter("ignore")
    import pandas as pd

    peer, then, live, rows, windows = sys.argv[1:]
    reference = pd.read_parquet(then)
    window = pd.read_parquet(live)[list(reference.columns)]
    alarms, seconds = PEERS[peer](reference, window, int(rows), int(windows))
    print(json.dumps({"version": version(peer), "alarms": alarms, "seconds": statistics.median(seconds)}))


if __name__ == "__main__":
    main()
