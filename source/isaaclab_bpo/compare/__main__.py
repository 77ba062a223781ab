# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compare trainings of several algorithms and seeds: tables and learning curves from their tensorboard events.

isaaclab_bpo compare logs/rsl_rl --output comparison
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from isaaclab_bpo.command_line import ClosedParser

try:
    import matplotlib as mpl

    from .report import write_report
    from .runs import read_runs
    from .statistics import comparable
except ModuleNotFoundError as error:
    raise SystemExit(f"compare: error: {error}: install the extra isaaclab_bpo[compare]") from None


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = ClosedParser(prog="compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "runs", type=Path, nargs="+", help="Folders of runs, or above them; or a runs.json of an earlier comparison."
    )
    parser.add_argument("--output", type=Path, default=Path("comparison"), help="Folder for the report.")
    parser.add_argument(
        "--threshold",
        type=_threshold,
        action="append",
        default=[],
        metavar="TASK=RETURN",
        help="Return whose first time is reported. Default: the final return of the weakest algorithm.",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="Leave out folders of this name, or below it; * and ? stand for any characters. May be given again.",
    )
    args = parser.parse_args(argv)
    if "" in args.exclude:
        parser.error("--exclude is empty: give the name of a folder, or a pattern")
    return args


def main(argv: list[str] | None = None) -> None:
    """Read the command line and write the report."""
    args = _parse(argv)
    mpl.use("agg")

    runs, left_out = read_runs(args.runs, args.exclude)
    runs, too_short = comparable(runs)
    left_out += too_short
    for reason in left_out:
        print(f"compare: left out: {reason}", file=sys.stderr)
    thresholds = dict(args.threshold)
    try:
        for pattern in args.exclude:
            if not any(reason.endswith(f"--exclude {pattern}") for reason in left_out):
                raise ValueError(f"--exclude {pattern!r} names no run in {', '.join(map(str, args.runs))}")
        if not runs:
            raise ValueError(f"no run to compare in {', '.join(map(str, args.runs))}")
        unknown = sorted(thresholds.keys() - {run.task for run in runs})
        if unknown:
            tasks = ", ".join(sorted({run.task for run in runs}))
            raise ValueError(f"--threshold names {unknown[0]!r}, but the runs are of {tasks}")
        files = write_report(runs, left_out, thresholds, args.output)
    except (ValueError, OSError) as error:
        print(f"compare: error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print("\n".join(map(str, files)))


def _threshold(text: str) -> tuple[str, float]:
    task, _, value = text.rpartition("=")
    if not task:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form TASK=RETURN")
    try:
        return task, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None


if __name__ == "__main__":
    main()
