"""The panel's levers: listed for the page, pulled by the page alone, honest about what they cannot reach."""

import json
import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.demo.levers import PLANTED, Lever, planted_instruction
from bot.demo.web import PANEL, doors


class Pulls:
    """Counts its pulls, or does not reach what it is for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.times = 0
        self._error = error

    async def __call__(self) -> str:
        self.times += 1
        if self._error:
            raise self._error
        return "It is done."


async def panel(levers: dict[str, Lever]) -> TestClient[Any, Any]:
    grounds: Any = SimpleNamespace(levers=levers, telemetry=SimpleNamespace(), config=SimpleNamespace(deploy_token="t"))
    director: Any = SimpleNamespace(performance=None)
    client = TestClient(TestServer(doors(grounds, director), host="127.0.0.1"))
    await client.start_server()
    return client


async def page_of(client: TestClient[Any, Any]) -> dict[str, Any]:
    text = await (await client.get("/")).text()
    found = re.search(r'data-shown="([^"]*)"', text)
    assert found is not None
    shown: dict[str, Any] = json.loads(unescape(found[1]))
    return shown


async def pull(client: TestClient[Any, Any], name: str, token: str, origin: str = "") -> aiohttp.ClientResponse:
    headers = {"Origin": origin or str(client.make_url("")).rstrip("/"), "X-Panel-Token": token}
    return await client.post("/panel/pull", json={"lever": name}, headers=headers)


async def test_a_lever_is_listed_and_pulled_by_the_page_and_says_what_it_did() -> None:
    deed = Pulls()
    client = await panel({"slack": Lever("Slack says 429", deed)})
    shown = await page_of(client)
    assert shown["levers"] == {"slack": "Slack says 429"}
    answer = await pull(client, "slack", shown["token"])
    assert await answer.json() == {"said": "It is done."}
    assert deed.times == 1
    await client.close()


@pytest.mark.parametrize(("token", "origin"), [("wrong", ""), ("", "http://elsewhere.example")])
async def test_nobody_else_pulls_a_lever(token: str, origin: str) -> None:
    deed = Pulls()
    client = await panel({"slack": Lever("Slack says 429", deed)})
    answer = await pull(client, "slack", token or (await page_of(client))["token"], origin)
    assert answer.status == 403
    assert deed.times == 0
    await client.close()


async def test_a_lever_that_is_not_there_or_reaches_nothing_is_said() -> None:
    client = await panel({"model": Lever("Model down", Pulls(aiohttp.ClientConnectionError("refused")))})
    token = (await page_of(client))["token"]
    assert (await pull(client, "kill", token)).status == 400
    answer = await pull(client, "model", token)
    assert answer.status == 502
    assert "refused" in await answer.text()
    await client.close()


async def test_a_planted_instruction_is_a_log_line_of_payments() -> None:
    kept: list[dict[str, Any]] = []
    grounds: Any = SimpleNamespace(telemetry=SimpleNamespace(keep_log=kept.append))
    said = await planted_instruction(grounds).pull()
    assert [(entry["service"], entry["message"]) for entry in kept] == [("payments", PLANTED)]
    assert "payments" in said


def test_the_panel_has_a_place_for_levers() -> None:
    assert 'id="levers"' in PANEL.read_text(encoding="utf-8")
