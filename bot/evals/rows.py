"""Data sets are files of one JSON object per line."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from bot.errors import BadSettings

Row = Mapping[str, object]


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Line number and object of each line that is not blank. Raises BadSettings that names file and line."""
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise BadSettings(f"{path}:{number}: expected one JSON object per line.")
                    yield number, row
    except OSError as error:
        raise BadSettings(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise BadSettings(f"{path} is not valid JSONL: {error}.") from error
