"""The configuration is what a user would write, and readable by the libraries that users' tools have."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import yaml

from bot.demo.estate import Estate
from bot.demo.faults import FAULTS
from bot.demo.past import past_incidents
from bot.demo.setup import POLICIES_YAML, ROUTING_YAML, SERVICES_YAML, write_configuration
from bot.demo.shop import PROVIDER, SERVICES, SHOP

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_catalogue_tells_how_the_shop_really_is_wired() -> None:
    services = {one["name"]: one for one in yaml.safe_load(SERVICES_YAML)["services"]}
    assert set(services) == {*SERVICES, PROVIDER}
    for shape in SHOP:
        assert set(services[shape.name].get("depends_on", [])) == set(shape.calls)
    assert services[PROVIDER]["external"] is True
    for fault in FAULTS.values():
        paths = services[fault.service]["paths"]
        assert all(edit.path.startswith(tuple(paths)) for edit in fault.change.edits)


def test_routes_and_policies_name_people_and_channels_of_the_workspace() -> None:
    routing, policies = yaml.safe_load(ROUTING_YAML), yaml.safe_load(POLICIES_YAML)
    assert routing["default"]["channel"] == "#incidents"
    assert routing["routes"][0]["channel"] == "#payments"
    (rule,) = policies["rules"]
    assert rule["self_approval"] is False
    assert rule["approvals"] == 1
    assert all(group in policies["groups"] for group in [*rule["request"], *rule["approve"]])


def test_past_incidents_have_front_matter_and_dates_before_now() -> None:
    files = past_incidents(NOW)
    assert len(files) == 3
    fronts = {name: yaml.safe_load(text.split("---\n")[1]) for name, text in files.items()}
    assert all(front["started"] < front["resolved"] < NOW for front in fronts.values())
    storm = fronts["INC-17"]
    assert "retries" in storm["cause"]
    assert "v37" in storm["fix"]
    assert "payments" in storm["services"]
    assert 20 <= (NOW - storm["started"]).days <= 22


async def test_the_settings_point_to_the_running_estate_and_hold_no_secret(estate: Estate, tmp_path: Path) -> None:
    folder = tmp_path / "bot"
    await write_configuration(folder, estate)
    text = (folder / "tocsin.toml").read_text()
    settings = tomllib.loads(text)
    assert settings["connectors"]["prometheus"]["url"] == estate.url
    assert settings["incidents"]["gather_seconds"] >= settings["connectors"]["prometheus"]["timeout_seconds"] > 5
    repository = Path(settings["connectors"]["git"]["repositories"]["demo/shop"])
    assert (repository / ".git").is_dir()
    start = settings["deployers"]["shop"]["start"]
    assert start[-2:] == ["--idempotency-key", "{key}"]
    assert Path(start[3]).exists()
    config = estate.config
    for secret in (config.deploy_token, config.alertmanager_token, config.github_secret):
        assert not any(secret in file.read_text() for file in folder.rglob("*") if file.is_file())
