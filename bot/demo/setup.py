"""The files that a user of the bot would write for this shop: settings, catalogue, routes, policies, past incidents."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from bot.demo.estate import Estate
from bot.demo.github import FULL_NAME
from bot.demo.past import past_incidents
from bot.demo.tooling import deployer_toml, listed, quoted, write_playbook

RUNBOOKS = Path(__file__).parents[2] / "runbooks"
SETTLE_SECONDS = 3
VERIFY_SECONDS = 40
GATHER_SECONDS = 15

SERVICES_YAML = f"""\
# The shop, as its owners describe it.
services:
  - name: storefront
    title: Storefront
    owner: team-payments
    tier: 1
    depends_on: [checkout, inventory]
    repository: {FULL_NAME}
    paths: [services/storefront, lib]
    environments: [production]
    deployer: shop
  - name: checkout
    title: Checkout
    owner: team-payments
    tier: 1
    depends_on: [payments, inventory]
    repository: {FULL_NAME}
    paths: [services/checkout, lib]
    environments: [production]
    deployer: shop
  - name: payments
    title: Payments
    owner: team-payments
    tier: 1
    aliases: [payments-api]
    depends_on: [acmepay]
    repository: {FULL_NAME}
    paths: [services/payments, lib]
    environments: [production]
    deployer: shop
  - name: inventory
    title: Inventory
    owner: team-inventory
    tier: 2
    depends_on: [store]
    repository: {FULL_NAME}
    paths: [services/inventory, lib]
    environments: [production]
    deployer: shop
  - name: store
    title: Store
    owner: team-platform
    tier: 2
    repository: {FULL_NAME}
    paths: [services/store, lib]
    environments: [production]
    deployer: shop
  - name: acmepay
    title: AcmePay (card provider)
    external: true
"""

ROUTING_YAML = """\
default:
  channel: "#incidents"
  on_call: [U0ONCALL]
overview: "#incidents"
routes:
  - name: payments team
    match: {owner: team-payments}
    channel: "#payments"
    on_call: [U0ONCALL]
"""

POLICIES_YAML = """\
groups:
  on-call: [U0ONCALL]
  approvers: [U0APPROVER]
rules:
  - name: production
    actions: [deploy, rollback]
    environments: [production]
    services: ["*"]
    request: [on-call, approvers]
    approve: [approvers]
    approvals: 1
    self_approval: false
    expires_minutes: 30
"""


async def write_configuration(folder: Path, estate: Estate, deployer: str = "command", apart: Path | None = None) -> None:
    """The folder holds everything that `tocsin --config FOLDER serve` reads; secrets are not among it.

    `deployer` is one of `tooling.DEPLOYERS`: what carries out deployments of the shop. With `apart` its settings are in that
    folder, for `tocsin --config APART executor`, and not the bot's.
    """
    await asyncio.to_thread(_write, folder, estate, deployer, apart)


def _write(folder: Path, estate: Estate, deployer: str, apart: Path | None) -> None:
    (folder / "incidents").mkdir(parents=True, exist_ok=True)
    holder = apart or folder
    holder.mkdir(parents=True, exist_ok=True)
    told = deployer_toml(deployer, holder, estate.control_file)
    texts = {
        "tocsin.toml": tocsin_toml(folder, estate.url, estate.repository, () if apart else told),
        "services.yaml": SERVICES_YAML,
        "routing.yaml": ROUTING_YAML,
        "policies.yaml": POLICIES_YAML,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in past_incidents(estate.grounds.started_at).items():
        (folder / "incidents" / f"{name}.md").write_text(text, encoding="utf-8")
    if apart:
        fences = ["[executor]", 'environments = ["production"]', ""]
        (apart / "tocsin.toml").write_text("\n".join([*fences, *told]) + "\n", encoding="utf-8")
    if deployer == "ansible":
        write_playbook(holder / "ansible", estate.control_file)


def tocsin_toml(folder: Path, url: str, repository: Path, deployer: Sequence[str]) -> str:
    """The settings: short patience, because everything in the demo happens within a minute."""
    lines = [
        f"data_dir = {quoted(str(folder / '.tocsin'))}",
        'environment = "production"',
        "",
        "[knowledge]",
        f"runbooks = {listed([str(RUNBOOKS)] if RUNBOOKS.is_dir() else [])}",
        f"incidents = {listed([str(folder / 'incidents')])}",
        "",
        "[incidents]",
        "reopen_minutes = 0                   # two stories within a minute are two incidents",
        f"settle_seconds = {SETTLE_SECONDS}",
        f"verify_seconds = {VERIFY_SECONDS}",
        "rehearse_seconds = 60                # a playbook's dry run on a busy machine; a rollback waits for half of that",
        f"gather_seconds = {GATHER_SECONDS}                  # the whole estate runs on this machine: a busy one answers late",
        "",
        "[connectors.alertmanager]",
        "[connectors.github]",
        "[connectors.git]",
        f"repositories = {{ {quoted(FULL_NAME)} = {quoted(str(repository))} }}",
        "[connectors.prometheus]",
        f"url = {quoted(url)}",
        "golden = false                       # the estate records its signals itself and understands selectors only",
        f"timeout_seconds = {GATHER_SECONDS}",
        "[connectors.loki]",
        f"url = {quoted(url)}",
        f"timeout_seconds = {GATHER_SECONDS}",
        "",
        *deployer,
    ]
    return "\n".join(lines) + "\n"
