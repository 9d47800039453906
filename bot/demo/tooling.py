"""How the shop's own tool is told to the bot: as a command, or in a playbook that Ansible plays."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.demo import deployctl

DEPLOYERS = ("command", "ansible")
DEPLOYCTL = Path(deployctl.__file__)
KEY = ("--idempotency-key", "{key}")
PLAYBOOK = """\
# Deploys a service of the shop. Tocsin hands over what people approved, as tocsin_service, tocsin_version and so on.
- name: Deploy a service of the shop
  hosts: shop
  gather_facts: false
  vars:
    tool: %s
    where: ["--service", "{{ tocsin_service }}", "--environment", "{{ tocsin_environment }}"]
    what: ["--version", "{{ tocsin_version }}", "--idempotency-key", "{{ tocsin_key }}"]
  tasks:
    - name: Ask what runs
      ansible.builtin.command: {argv: "{{ tool + ['current'] + where }}"}
      register: running
      changed_when: false
      check_mode: false
    - name: Say what will change
      ansible.builtin.debug:
        msg: "{{ tocsin_service }}: {{ (running.stdout | from_json).version }} -> {{ tocsin_version }}"
    - name: Deploy it and wait until it runs
      ansible.builtin.command: {argv: "{{ tool + ['deploy'] + where + what }}"}
"""


def tool(control_file: Path) -> list[str]:
    """The words with which the shop's own tool is called."""
    return [sys.executable, "-I", "-S", str(DEPLOYCTL), "--config", str(control_file)]


def deployer_toml(kind: str, folder: Path, control_file: Path) -> list[str]:
    """The lines of [deployers.shop]."""
    lines = _ansible(folder, control_file) if kind == "ansible" else _command(control_file)
    return ["[deployers.shop]", f"kind = {quoted(kind)}", *lines]


def write_playbook(folder: Path, control_file: Path) -> None:
    """An Ansible project with one playbook and an inventory of one host: this machine."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deploy.yml").write_text(PLAYBOOK % json.dumps(tool(control_file)), encoding="utf-8")
    host = f"localhost ansible_connection=local ansible_python_interpreter={json.dumps(sys.executable)}"
    (folder / "production").write_text(f"[shop]\n{host}\n", encoding="utf-8")


def _command(control_file: Path) -> list[str]:
    commands = {
        "current": ["current", "--service", "{service}", "--environment", "{environment}"],
        "versions": ["versions", "--service", "{service}"],
        "start": ["deploy", "--service", "{service}", "--version", "{version}", "--environment", "{environment}", *KEY],
        "status": ["status", *KEY],
    }
    asked = [f"{name} = {listed([*tool(control_file), *words])}" for name, words in commands.items()]
    return [*asked, "timeout_seconds = 60", "idempotent = true"]


def _ansible(folder: Path, control_file: Path) -> list[str]:
    current = ["current", "--service", "{service}", "--environment", "{environment}", "--lines"]
    versions = ["versions", "--service", "{service}", "--lines"]
    return [
        f"project = {quoted(str(folder / 'ansible'))}",
        f"state = {quoted(str(folder / 'ansible-runs'))}",
        'playbook = "deploy.yml"',
        'inventory = "{environment}"',
        f"current = {{ command = {listed([*tool(control_file), *current])} }}",
        f"versions = {{ command = {listed([*tool(control_file), *versions])} }}",
        "timeout_seconds = 120",
    ]


def quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(text)


def listed(texts: Sequence[str]) -> str:
    """A TOML list of strings."""
    return "[" + ", ".join(quoted(text) for text in texts) + "]"
