"""Resolve pyproject.toml into requirements.lock, with pip's own resolver, in a throw-away environment."""

import itertools
import json
import pathlib
import subprocess
import tempfile
import tomllib
import venv

ROOT = pathlib.Path(__file__).parent.parent
HEAD = """# Exact versions of everything (made by `make lock`). torch stands without hash or local version, so that
# TOCSIN_PIP_ARGS can choose CPU or CUDA wheels.
"""


def main() -> None:
    """Write the lock file anew; prints nothing but pip's own errors."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        report = pathlib.Path(folder, "report.json")
        pip = [f"{folder}/bin/pip", "install", "-q", "--dry-run", "--report", str(report), *wanted]
        subprocess.run(pip, check=True)
        found = [item["metadata"] for item in json.loads(report.read_text())["install"]]
    rows = sorted(f"{m['name'].lower().replace('_', '-')}=={m['version'].split('+')[0]}" for m in found)
    (ROOT / "requirements.lock").write_text(HEAD + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
