"""How `tocsin eval` and its sisters say their figures: one JSON object, or a line for each; progress on stderr."""

import json
import sys
from collections.abc import Mapping


def progress(line: str) -> None:
    """One line on stderr."""
    print(line, file=sys.stderr, flush=True)


def show(result: Mapping[str, object], as_json: bool) -> int:
    """Print a result: as one JSON object, or its single figures one a line. Returns the exit status 0."""
    if as_json:
        print(json.dumps(result))
    else:
        for key, value in result.items():
            if not isinstance(value, list):
                print(f"{key:18} {value:.4g}" if isinstance(value, float) else f"{key:18} {value}")
    return 0
