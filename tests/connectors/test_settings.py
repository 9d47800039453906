"""Typing errors in the settings of connectors are said at the start, with what would do, and never with a secret."""

from pathlib import Path

import pytest

from bot.errors import BadSettings
from bot.settings import load
from bot.wiring.vendors import vendors


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[connectors.grafna]\nsecret = "hush-hush"', r"no connector 'grafna'; there are .*grafana"),
        (
            '[connectors.sentry]\nenviroments = ["hush-hush"]',
            r"\[connectors.sentry\] has no setting 'enviroments'; .*environments",
        ),
        ('[connectors.pagerduty]\nrouting_keys = "hush-hush"', r"\[connectors.pagerduty\] routing_keys: "),
        (
            '[deployers.shop]\nkind = "githbu"',
            r"\[deployers.shop\] kind is 'githbu'; it has to be one of .*github, gitlab, jenkins",
        ),
        ('[deployers.shop]\nkind = "jenkins"\njob = "x"\ntoken = "hush-hush"', r"\[deployers.shop\] url: .*A good one: kind"),
        ('[tickets]\ntracker = "jria"', r"tracker is 'jria'; it has to be one of github, jira, servicenow"),
        (
            '[tickets]\ntracker = "jira"\n[connectors.jira]\nsecret = "hush-hush"',
            r"cannot open tickets yet. .*url, user, token and project",
        ),
    ],
)
def test_a_typing_error_is_named_with_what_there_is_and_no_secret(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "tocsin.toml").write_text(written, encoding="utf-8")
    with pytest.raises(BadSettings, match=said) as error:
        vendors(load({}, tmp_path))
    assert "hush-hush" not in str(error.value)
