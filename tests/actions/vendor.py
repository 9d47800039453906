"""A deployment system for tests, as a program of its own: every run is a line in `runs.log`.

    vendor.py FOLDER current|versions|deploy|status|cancel|check [--service S] [--environment E] [--version V] [--key K]

`behaviour.json` in the folder: `before` and `after` are seconds that `deploy` takes before and after it accepts the order;
`forgetful`: it starts a run for every call, whatever the key; `status`: what a new run is (default succeeded); `fail`: these
verbs end with code 3; `give_up`: a deploy ends with code 2 after it was accepted; `say`: exact words on stdout;
`garbage`: so many bytes on stdout; `linger`: it leaves a child behind.
"""

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("verb", choices=["current", "versions", "deploy", "status", "cancel", "check"])
    for name in ("service", "environment", "version", "key"):
        parser.add_argument(f"--{name}", default="")
    asked = parser.parse_args()
    behaviour = read(asked.folder / "behaviour.json", {})
    if "garbage" in behaviour:
        sys.stdout.write("x" * int(behaviour["garbage"]))
        return 0
    if "say" in behaviour:
        print(behaviour["say"])
        return 0
    if asked.verb in behaviour.get("fail", ()):
        print("password=hunter2secret999 was refused", file=sys.stderr)
        print(f"cannot {asked.verb} {asked.service}", file=sys.stderr)
        return 3
    if behaviour.get("linger"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(20)"])
    if behaviour.get("environment"):
        (asked.folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    if asked.verb == "deploy":
        (asked.folder / "asked").touch()
        time.sleep(behaviour.get("before", 0))
    print(json.dumps(answer(asked, behaviour)))
    sys.stdout.flush()
    if asked.verb == "deploy":
        time.sleep(behaviour.get("after", 0))
        return 2 if behaviour.get("give_up") else 0
    return 0


def answer(asked: argparse.Namespace, behaviour: dict[str, Any]) -> object:
    with (asked.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = read(asked.folder / "state.json", {"running": {}, "versions": {}, "keys": {}})
        if asked.verb == "current":
            return {"version": state["running"].get(asked.service, "v43"), "commit": "c" * 40}
        if asked.verb == "versions":
            default = [{"version": f"v{n}", "commit": str(n) * 20, "healthy": True} for n in (43, 42, 41)]
            return state["versions"].get(asked.service, default)
        if asked.verb == "status":
            return state["keys"].get(asked.key, {"run": None, "status": "unknown"})
        if asked.verb == "check":
            return {}
        if asked.verb == "cancel":
            run = state["keys"].get(asked.key, {"run": None, "status": "unknown"})
            if run["status"] == "running":
                run["status"] = "cancelled"
                (asked.folder / "state.json").write_text(json.dumps(state))
            return run
        if asked.key in state["keys"] and not behaviour.get("forgetful"):
            return state["keys"][asked.key]
        with (asked.folder / "runs.log").open("a") as log:
            log.write(f"{asked.key} {asked.service} {asked.version}\n")
        said = behaviour.get("status", "succeeded")
        run = {"run": f"run-{len(state['keys']) + 1}", "status": said, "version": asked.version}
        state["keys"][asked.key] = run
        if said == "succeeded":
            state["running"][asked.service] = asked.version
        new = asked.folder / "state.new"
        new.write_text(json.dumps(state))
        new.replace(asked.folder / "state.json")
        return run


def read(path: Path, default: Any) -> Any:
    return json.loads(path.read_text()) if path.exists() else default


if __name__ == "__main__":
    raise SystemExit(main())
