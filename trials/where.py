"""Where the time of a scan goes: seconds of clock and of processor by step, memory at the end of each, and the functions that took the most.

    python trials/profile.py [LOG...] [--history DIR] [--calls 200000] [--functions 25]

Without LOG, a drill of so many calls is made on the spot. Kernels are compiled before anything is measured.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import time
from pathlib import Path

from stillwatch import flow
from stillwatch.drill import compose, scenario


class Steps:
    """Clock, processor and memory by step, from the progress that a scan reports."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, float, float, float]] = []
        self._name, self._wall, self._cpu = "starting", time.perf_counter(), time.process_time()

    def __call__(self, name: str, count: int) -> None:
        if name != self._name:
            self._end()
            self._name = name

    def _end(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self._rows.append((self._name, wall - self._wall, cpu - self._cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6))
        self._wall, self._cpu = wall, cpu

    def told(self, calls: int) -> str:
        """One line a step."""
        self._end()
        lines = [f"{'step':<18}{'clock s':>9}{'processor s':>13}{'us a call':>11}{'peak GB so far':>16}"]
        for name, wall, cpu, peak in self._rows:
            lines.append(f"{name:<18}{wall:>9.2f}{cpu:>13.2f}{wall / calls * 1e6:>11.2f}{peak:>16.2f}")
        wall, cpu = sum(row[1] for row in self._rows), sum(row[2] for row in self._rows)
        return "\n".join([*lines, f"{'all':<18}{wall:>9.2f}{cpu:>13.2f}{wall / calls * 1e6:>11.2f}"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="*")
    parser.add_argument("--history", action="append", default=[])
    parser.add_argument("--calls", type=int, default=200_000)
    parser.add_argument("--functions", type=int, default=25, help="of the main thread; 0: none, and a quicker run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        small = folder / "small.parquet"
        compose.write(compose.compose(scenario.load("mixed").with_overrides(calls=2_000)), small)
        if not args.logs:
            args.logs = [str(folder / "log.parquet")]
            compose.write(compose.compose(scenario.load("mixed").with_overrides(calls=args.calls)), Path(args.logs[0]))
        flow.watch([str(small)], folder / "warm", key=folder / "key", history=[str(small)])
        history = []
        for at, each in enumerate(args.history):
            flow.watch([each], folder / f"history{at}", key=folder / "key")
            history.append(str(folder / f"history{at}"))
        steps, profiler = Steps(), cProfile.Profile()
        if args.functions:
            profiler.enable()
        summary = flow.watch(args.logs, folder / "out", key=folder / "key", history=history, progress=steps)
        profiler.disable()
    print(steps.told(summary["calls_read"]))
    if args.functions:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(args.functions)


if __name__ == "__main__":
    main()
