"""A deployer of these tests: what runs where, in one JSON file that counts every start. Standard library only.

usage: deployctl.py STATE current SERVICE | versions SERVICE | start SERVICE VERSION KEY | status KEY | cancel KEY
The file's "seconds" says how long a deployment takes; it goes on when whoever started it is gone. With "forgets" it begins a run
and knows nothing of it afterwards; with "lasts" a run goes on until it is cancelled.
"""

import contextlib
import fcntl
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def opened(file: Path) -> Iterator[dict[str, Any]]:
    """The state, read and written back under a lock."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads(file.read_text())
        yield state
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(state))
        fresh.replace(file)


def main() -> int:
    """One command; its answer as JSON."""
    file, verb, *words = Path(sys.argv[1]), *sys.argv[2:]
    if verb == "start":
        return start(file, *words)
    with opened(file) as state:
        if verb == "current":
            answer: Any = {"version": state["running"][words[0]], "healthy": True}
        elif verb == "versions":
            answer = [{"version": v} for v in state["versions"][words[0]]]
        else:
            answer = state["runs"].get(words[0], {"status": "unknown"})
            if verb == "cancel" and answer["status"] == "running":
                answer["status"] = "cancelled"
    print(json.dumps(answer))
    return 0


def start(file: Path, service: str, version: str, key: str) -> int:
    """Deploy. Every call is a run of its own: whoever calls twice is found out."""
    with opened(file) as state:
        state["starts"].append(f"{service} {version} {key}")
        number = f"run-{len(state['starts'])}"
        if state.get("forgets"):
            print(json.dumps({"run": number, "status": "running", "version": version}))
            return 0
        state["runs"][key] = {"run": number, "status": "running", "version": version}
        seconds = state["seconds"]
        if state.get("lasts"):
            state["runs"][key]["link"] = f"https://ci.example.com/{number}"
            print(json.dumps(state["runs"][key]))
            return 0
    time.sleep(seconds)
    with opened(file) as state:
        state["running"][service] = version
        state["versions"][service].insert(0, version)
        state["runs"][key]["status"] = "succeeded"
        answer = state["runs"][key]
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
