"""Settings: defaults, then tocsin.toml, then the environment; a mistake is named with a good example and without secrets."""

import re
from pathlib import Path

import pytest

from bot.errors import BadSettings
from bot.settings import Settings, load


def written(folder: Path, text: str) -> Path:
    (folder / "tocsin.toml").write_text(text, encoding="utf-8")
    return folder


def refused(environ: dict[str, str], folder: Path) -> str:
    with pytest.raises(BadSettings) as caught:
        load(environ, folder)
    return str(caught.value)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load({}, tmp_path)
    assert (settings.host, settings.port, settings.timezone) == ("127.0.0.1", 8400, "UTC")
    assert settings.data == (tmp_path / ".tocsin").resolve()
    assert settings.database == f"sqlite:///{settings.data / 'tocsin.db'}"


def test_the_environment_wins_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    written(tmp_path, "port = 1111\nhost = '::1'\n[incidents]\nsettle_seconds = 7\n")
    settings = load({"TOCSIN_PORT": "2222", "TOCSIN_INCIDENTS_GATHER_SECONDS": "3"}, tmp_path)
    assert (settings.port, settings.host) == (2222, "::1")
    assert settings.limits.settle.total_seconds() == 7
    assert settings.limits.gather.total_seconds() == 3


def test_slacks_own_names_are_kept(tmp_path: Path) -> None:
    settings = load({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "s"}, tmp_path)
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-1"
    assert settings.slack.app_token is not None
    assert settings.slack.signing_secret is not None


def test_a_connectors_settings_come_from_the_environment_too(tmp_path: Path) -> None:
    settings = load({"TOCSIN_GITHUB_SECRET": "s3cret-s3cret"}, tmp_path)
    assert settings.connectors["github"]["secret"] == "s3cret-s3cret"


def test_a_deployers_secrets_come_from_the_environment_too(tmp_path: Path) -> None:
    written(tmp_path, "[deployers.shop]\nkind = 'github'\n[deployers.shop-eu]\nkind = 'gitlab'\n")
    settings = load({"TOCSIN_DEPLOYERS_SHOP_TOKEN": "one", "TOCSIN_DEPLOYERS_SHOP_EU_TOKEN": "two"}, tmp_path)
    assert (settings.deployers["shop"]["token"], settings.deployers["shop-eu"]["token"]) == ("one", "two")
    with pytest.raises(BadSettings, match=r"belongs to no deployer of tocsin.toml; there are: \[deployers.shop\]"):
        load({"TOCSIN_DEPLOYERS_BLOG_TOKEN": "three"}, tmp_path)


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-from-a-file\n")
    settings = load({"SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")}, tmp_path)
    assert settings.slack.bot_token is not None
    assert settings.slack.bot_token.get_secret_value() == "xoxb-from-a-file"


def test_the_value_itself_wins_over_its_file(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("1111")
    assert load({"TOCSIN_PORT": "2222", "TOCSIN_PORT_FILE": str(tmp_path / "port")}, tmp_path).port == 2222


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    said = refused({"SLACK_BOT_TOKEN_FILE": str(tmp_path / "nowhere")}, tmp_path)
    assert "SLACK_BOT_TOKEN_FILE" in said
    assert "nowhere" in said
    assert "No such file" in said


@pytest.mark.parametrize(
    ("name", "value", "field", "example"),
    [
        ("TOCSIN_PORT", "eighty", "port", "8400"),
        ("TOCSIN_PORT", "70000", "port", "8400"),
        ("TOCSIN_TIMEZONE", "Mars/Olympus", "timezone", "Europe/Zurich"),
        ("TOCSIN_DIGEST_AT", "25:00", "digest_at", "09:00"),
        ("TOCSIN_INCIDENTS_GATHER_SECONDS", "-1", "incidents.gather_seconds", "docs/configuration.md"),
    ],
)
def test_a_wrong_value_is_named_with_a_good_one(name: str, value: str, field: str, example: str, tmp_path: Path) -> None:
    said = refused({name: value}, tmp_path)
    assert field in said
    assert repr(value) in said
    assert example in said


def test_every_wrong_value_is_named_at_once(tmp_path: Path) -> None:
    said = refused({"TOCSIN_PORT": "x", "TOCSIN_TIMEZONE": "y"}, tmp_path)
    assert "port" in said
    assert "timezone" in said


@pytest.mark.parametrize("name", ["TOCSIN_PORTT", "TOCSIN_NONSENSE"])
def test_an_unknown_variable_is_a_typing_error(name: str, tmp_path: Path) -> None:
    said = refused({name: "1"}, tmp_path)
    assert name in said
    assert "tocsin doctor" in said


def test_an_unknown_field_of_a_section_is_refused(tmp_path: Path) -> None:
    assert "incidents.setle_seconds" in refused({}, written(tmp_path, "[incidents]\nsetle_seconds = 3\n"))
    assert "retention.raw_day" in refused({"TOCSIN_RETENTION_RAW_DAY": "3"}, written(tmp_path, ""))


def test_variables_of_other_programs_are_not_ours(tmp_path: Path) -> None:
    assert load({"TOCSIN_PIP_ARGS": "--no-index", "SLACK_CHANNEL": "x", "PATH": "/bin"}, tmp_path) == load({}, tmp_path)


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    said = refused({}, written(tmp_path, "port = 1\nhost = \n"))
    assert "tocsin.toml" in said
    assert "line 2" in said
    assert "docs/configuration.md" in said


def test_a_value_where_a_table_belongs_is_said(tmp_path: Path) -> None:
    said = refused({"TOCSIN_SLACK_API_URL": "http://127.0.0.1/api/"}, written(tmp_path, "slack = 'yes'\n"))
    assert "`slack` in tocsin.toml has to be a table, such as [slack]" in said


SECRET = "xoxb-very-secret-value"


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        ("[slack]\nbot_token = ['xoxb-very-secret-value']\n", {}),
        ("[slack]\nbot_token = {a = 'xoxb-very-secret-value'}\n", {}),
        ("[connectors]\ngithub = 'xoxb-very-secret-value'\n", {}),
        ("[deployers]\nshop = 'xoxb-very-secret-value'\n", {}),
        ("database_url = ['xoxb-very-secret-value']\n", {}),
        ("port = 'x'\n", {"SLACK_BOT_TOKEN": SECRET, "TOCSIN_GITHUB_SECRET": SECRET}),
    ],
)
def test_a_secret_is_never_in_an_error(toml: str, environ: dict[str, str], tmp_path: Path) -> None:
    assert SECRET not in refused(environ, written(tmp_path, toml))


def test_a_secret_is_never_in_what_settings_look_like(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://tocsin:{SECRET}@127.0.0.1/tocsin"
    settings = load({"SLACK_BOT_TOKEN": SECRET, "TOCSIN_GITHUB_SECRET": SECRET, "TOCSIN_DATABASE_URL": url}, tmp_path)
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


def test_nobody_else_reads_the_environment() -> None:
    root = Path(__file__).parent.parent
    readers = {"bot/settings/reading.py", "bot/commands/staging.py"}  # the stage hands its environment on to the demo's processes
    found = {
        str(file.relative_to(root))
        for room in ("bot", "connectors")
        for file in (root / room).rglob("*.py")
        if "shop_source" not in file.parts and re.search(r"\bos\.(environ\b|getenv)", file.read_text(encoding="utf-8"))
    }
    assert found - {"bot/investigation/rules/contracts.py"} <= readers  # that one reads of it in diffs


def test_settings_cannot_be_changed_afterwards(tmp_path: Path) -> None:
    settings: Settings = load({}, tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # that is the point
