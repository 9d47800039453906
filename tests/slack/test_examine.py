"""A token is examined against the local workspace, and nothing is posted by it."""

import pytest

from bot.errors import BotError
from bot.slack.examine import FEATURES, Examiner, opens_a_socket
from bot.workspace.config import ChannelSpec
from tests.workspace.conftest import running


async def test_a_good_token_tells_its_scopes_its_features_and_its_channels() -> None:
    async with running(scopes=("chat:write", "commands")) as workspace:
        api = f"{workspace.config.base_url}/api/"
        examiner = Examiner(workspace.config.bot_token, api)
        identity = await examiner.identity()
        assert (identity.user, identity.scopes) == ("tocsin", frozenset({"chat:write", "commands"}))
        assert [await examiner.refused(method) for method in FEATURES] == ["", "", ""]
        assert await examiner.refused("chat.flyToTheMoon") == "unknown_method"
        assert await examiner.is_member("C0INCIDENTS")
        await opens_a_socket(workspace.config.app_token, api)
        kinds = {e["kind"] for e in (await workspace.see("transcript"))["entries"]}
        assert kinds <= {"refused"}


async def test_a_bad_token_is_said_without_showing_it() -> None:
    async with running() as workspace:
        api = f"{workspace.config.base_url}/api/"
        with pytest.raises(BotError, match="Check SLACK_BOT_TOKEN") as wrong:
            await Examiner("xoxb-wrong", api).identity()
        with pytest.raises(BotError) as other:
            await opens_a_socket(workspace.config.bot_token, api)
    assert "xoxb-" not in f"{wrong.value}{other.value}"


async def test_a_channel_that_the_bot_is_not_in_is_told() -> None:
    async with running(channels=(ChannelSpec("C0ELSE", "else", bot_is_member=False),)) as workspace:
        assert not await Examiner(workspace.config.bot_token, f"{workspace.config.base_url}/api/").is_member("C0ELSE")
