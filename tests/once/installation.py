"""The files that an installation of a trial consists of."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.flows.automating import estate
from tests.once.plan import AUTOMATIC, Lane

TOOL = Path(__file__).with_name("tool.py")
SERVICES = """\
services:
  - {name: payments, tier: 1, depends_on: [ledger], repository: acme/shop, environments: [production], deployer: shop}
  - {name: ledger, tier: 2, repository: acme/shop, environments: [production], deployer: shop}
  - {name: web, tier: 2, depends_on: [payments], repository: acme/shop, environments: [production], deployer: shop}
"""
ROUTING = """\
default: {{channel: "{channel}", on_call: [U0ONCALL]}}
"""
POLICIES = """\
groups:
  on-call: [U0ONCALL]
  approvers: [U0APPROVER, U0OUTSIDER]
rules:
  - name: production
    environments: [production]
    services: ["*"]
    request: [on-call]
    approve: [approvers]
    approvals: {approvals}
    self_approval: false
    expires_minutes: 30
"""
TOML = """\
environment = "production"
[knowledge]
embedder = "none"
[incidents]
settle_seconds = 0
verify_seconds = 2
gather_seconds = 1
first_card_seconds = 0.1
[slack]
charts = false
{deployer}
"""
ALONE = estate.AUTOMATIC.replace("tier_1: 1", "tier_1: 1\n  risk: medium")
DEPLOYERS = {
    "workflow": 'kind = "github"\nrepository = "acme/shop"\nworkflow = "deploy.yml"\napi_url = "{api}"\ntimeout_seconds = 1',
    "deployments": 'kind = "github"\nrepository = "acme/shop"\nmode = "deployments"\napi_url = "{api}"\ntimeout_seconds = 1',
    "gitlab": 'kind = "gitlab"\nproject = "acme/shop"\nurl = "{api}"\ntimeout_seconds = 1',
    "jenkins": 'kind = "jenkins"\nurl = "{api}"\njob = "deploy/shop"\nuser = "tocsin"\ntimeout_seconds = 1',
}


def write(folder: Path, lane: Lane, approvals: int, *, channel: str, vendor: str, trial: str, keys: Sequence[str]) -> None:
    """The configuration of a trial: of its bots, and of its executors below `executor`. `vendor` is the vendors' address."""
    api = f"{vendor}/t/{trial}"
    if lane.nature in DEPLOYERS:
        deployer = DEPLOYERS[lane.nature].format(api=api)
    else:
        tool = [sys.executable, "-I", "-S", str(TOOL), vendor.rpartition(":")[2], trial]
        words = {
            "current": [*tool, "current", "{service}"],
            "versions": [*tool, "versions", "{service}"],
            "start": [*tool, "start", "{service}", "{version}", "{key}"],
            "status": [*tool, "status", "{key}"],
            "cancel": [*tool, "cancel", "{key}"],
        }
        lines = ['kind = "command"', *(f"{k} = {json.dumps(v)}" for k, v in words.items()), "timeout_seconds = 1"]
        deployer = "\n".join([*lines, f"idempotent = {json.dumps(lane.nature in ('promising', 'lying'))}"])
    deployer = f"[deployers.shop]\n{deployer}\n"
    texts = {
        "services.yaml": SERVICES,
        "routing.yaml": ROUTING.format(channel=channel),
        "policies.yaml": POLICIES.format(approvals=approvals) + (ALONE if lane.kind == AUTOMATIC else ""),
        "tocsin.toml": TOML.format(deployer="" if lane.apart else deployer),
        "executor/tocsin.toml": deployer,
        "keys/private": keys[0],
        "keys/public": keys[1],
        **({"runbooks/payments/errors.md": estate.PAGE} if lane.kind == AUTOMATIC else {}),
    }
    for name in ("runbooks/payments", "executor", "keys"):
        (folder / name).mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o600)
