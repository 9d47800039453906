"""The town's deployment program: writes down every order that it gets, so that a forbidden one shows. Standard library only."""

import json
import sys


def main() -> None:
    """`shipper.py FILE current|versions|start|status ...`; FILE gets one line for each `start`."""
    orders, verb, *rest = sys.argv[1:]
    versions = [{"version": f"v{n}", "commit": "", "deployed_at": "", "healthy": True} for n in (43, 42, 41)]
    if verb == "start":
        with open(orders, "a", encoding="utf-8") as file:
            file.write(json.dumps(rest) + "\n")
    started = {"run": "1", "status": "succeeded", "version": rest[1] if len(rest) > 1 else ""}
    answers = {"current": versions[0], "versions": versions, "start": started, "status": {"run": None, "status": "unknown"}}
    print(json.dumps(answers[verb]))


if __name__ == "__main__":
    main()
