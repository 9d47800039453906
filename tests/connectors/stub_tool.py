"""Helm and Terraform as far as the presets of `command` speak with them: stubs that print what the tools document, and no more.

    stub_tool.py helm|terraform FOLDER ARGUMENTS...

Each call is a line of `calls.log` in the folder, each change one of `runs.log`. A file `broken` makes changes fail half way.
"""

import json
import sys
from pathlib import Path
from typing import Any

HISTORY = [
    {"revision": 1, "updated": "2026-03-01T10:00:00.123456789Z", "status": "superseded", "chart": "payments-1.4.0"},
    {"revision": 2, "updated": "2026-03-02T10:00:00.123456789Z", "status": "failed", "chart": "payments-1.5.0-rc.1"},
    {"revision": 3, "updated": "2026-03-03T10:00:00.123456789Z", "status": "deployed", "chart": "payments-1.4.1"},
]


def main(tool: str, folder: Path, words: list[str]) -> int:
    note(folder / "calls.log", " ".join(words))
    if words[-1] == "version" or words[0] == "version":
        print("v3.16.2")
        return 0
    return helm(folder, words) if tool == "helm" else terraform(folder, words)


def helm(folder: Path, words: list[str]) -> int:
    releases = read(folder / "releases.json", HISTORY)
    if words[0] == "history":
        print(json.dumps(releases))
    elif words[:2] == ["diff", "upgrade"]:
        print("payments, Deployment (apps) has changed:")
        print("-   image: payments:1.4.1\n+   image: payments:1.5.0\n    password=hunter2secret999")
    elif words[0] == "upgrade":
        bad = (folder / "broken").exists()
        for one in releases:
            one["status"] = "superseded" if one["status"] == "deployed" and not bad else one["status"]
        version, label = words[words.index("--version") + 1], words[words.index("--labels") + 1]
        made = {"revision": len(releases) + 1, "updated": "2026-03-04T10:00:00Z", "label": label}
        releases.append({**made, "status": "failed" if bad else "deployed", "chart": f"{words[1]}-{version}"})
        write(folder / "releases.json", releases)
        note(folder / "runs.log", label)
        print("Error: UPGRADE FAILED: timed out waiting for the condition" if bad else "happy helming", file=sys.stderr)
        return int(bad)
    elif words[0] == "list":
        wanted = words[words.index("--selector") + 1]
        print(json.dumps([one for one in releases[-1:] if one.get("label") == wanted]))
    return 0


def terraform(folder: Path, words: list[str]) -> int:
    state = read(folder / "state.json", {"tocsin_version": {"value": "payments-v41"}, "tocsin_key": {"value": "past"}})
    given = dict(word.removeprefix("-var=").split("=") for word in words if word.startswith("-var="))
    if "output" in words:
        print(json.dumps(state))
    elif "plan" in words:
        print("\n".join(f"  ~ resource {number}" for number in range(90)))
        print("Plan: 0 to add, 90 to change, 0 to destroy.")
    elif "apply" in words:
        note(folder / "runs.log", given["tocsin_key"])
        if (folder / "broken").exists():
            print("Error: creating the load balancer: quota exceeded", file=sys.stderr)
            return 1
        write(folder / "state.json", {name: {"value": value} for name, value in given.items()})
        print("Apply complete! Resources: 0 added, 1 changed, 0 destroyed.")
    return 0


def read(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else json.loads(json.dumps(default))


def write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def note(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
