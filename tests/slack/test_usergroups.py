"""The user groups of a workspace are asked once in five minutes, and nobody is in one where Slack does not tell."""

from bot.slack.client import connect
from bot.slack.usergroups import UserGroups
from tests.slack.scripted import scripted

TOLD = {
    "ok": True,
    "usergroups": [
        {"id": "S0ONCALL", "handle": "oncall", "users": ["U1", "U2"]},
        {"id": "S0CHIEFS", "handle": "chiefs", "users": ["U2"]},
    ],
}


async def test_a_group_is_known_by_id_and_handle_and_asked_once() -> None:
    now = 0.0
    async with scripted(usergroups_list=[TOLD, {"ok": True, "usergroups": []}]) as server:
        groups = UserGroups(connect("xoxb-1", server.url), lambda: now)
        assert await groups.of("U2") == {"S0ONCALL", "oncall", "S0CHIEFS", "chiefs"}
        by_id, by_handle = await groups.find("S0ONCALL"), await groups.find("oncall")
        assert by_id == by_handle
        assert by_id is not None
        assert by_id.people == ("U1", "U2")
        assert await groups.find("nobody") is None
        assert await groups.find("") is None
        assert server.methods() == ["usergroups.list"]
        now = 301.0
        assert await groups.of("U2") == frozenset()
        assert server.methods() == ["usergroups.list"] * 2


async def test_where_slack_does_not_tell_nobody_is_in_a_group_and_it_is_asked_again() -> None:
    async with scripted(usergroups_list=[{"ok": False, "error": "missing_scope"}, TOLD]) as server:
        groups = UserGroups(connect("xoxb-1", server.url))
        assert await groups.of("U1") == frozenset()
        assert await groups.of("U1") == {"S0ONCALL", "oncall"}
