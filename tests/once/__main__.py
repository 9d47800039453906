"""python -m tests.once [--keep FOLDER] [N ...]: the trials of these numbers (0 to 199 if none); what was wrong is told in full.

FOLDER keeps each trial's configuration, database, logs and the steps that its processes took.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path

from tests.once.series import series, summary
from tests.postgres import Postgres, a_server


def main() -> int:
    """1 if a trial went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.once", description=__doc__)
    parser.add_argument("numbers", nargs="*", type=int, default=range(200))
    parser.add_argument("--keep", type=Path, help="a folder that does not exist yet")
    parser.add_argument("--sweep", action="store_true", help="a trial more for each step at which no blow fell")
    asked = parser.parse_args()
    with contextlib.ExitStack() as end:
        folder = asked.keep or Path(end.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-once-")))
        postgres = Postgres(end.enter_context(a_server()).url)
        reports = asyncio.run(
            series(list(asked.numbers), folder, postgres, say=lambda line: print(line, flush=True), sweep=asked.sweep)
        )
    print(summary(reports))
    return int(any(r.wrong for r in reports))


if __name__ == "__main__":
    sys.exit(main())
