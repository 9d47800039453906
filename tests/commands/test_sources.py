"""`tocsin index` and `tocsin doctor` with sources: what each brought, what is wrong, what a running bot keeps."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli import main
from bot.commands.doctor import examine
from bot.commands.sources import examine as examine_sources
from bot.errors import BadSettings
from bot.flows.runbooks.keeping_up import MARK
from bot.knowledge.links import Links
from bot.knowledge.sources import Sources
from bot.settings import load
from bot.storage.database import SqlDatabase
from bot.storage.switches import SqlSwitchStore
from bot.wiring.sources import origins
from tests.gitserver import a_forge

TOML = """
[knowledge]
runbooks = []
incidents = []
embedder = "none"

[knowledge.sources.ops-git]
kind = "git"
url = "{url}/acme/ops.git"
channels = ["#ops"]

[knowledge.sources.handbook]
kind = "folder"
path = "handbook"
owner = "team-core"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with a_forge(tmp_path / "forge", "the-token") as forge:
        repository = forge.repository("acme/ops")
        forge.commit(repository, {"lag.md": "# Broker lag\n\nRestart the broker when its consumers lag.\n"})
        folder = tmp_path / "bot"
        (folder / "handbook").mkdir(parents=True)
        (folder / "handbook" / "disk.md").write_text("# Disk full\n\nDelete old logs of the disk.\n")
        (folder / "tocsin.toml").write_text(TOML.format(url=forge.url))
        yield folder


def test_index_says_what_each_source_brought_and_search_finds_it_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_KNOWLEDGE_SOURCES_OPS_GIT_TOKEN", "the-token")
    assert main(["--config", str(folder), "index"]) == 0
    said = capsys.readouterr().out
    assert "ops-git (git): 1 new\n" in said
    assert "handbook (folder): 1 new\n" in said
    assert "2 runbooks" in said
    assert main(["--config", str(folder), "search", "--json", "broker", "consumers", "lag"]) == 0
    [found] = json.loads(capsys.readouterr().out)["found"]
    assert (found["title"], found["source"], found["id"]) == ("Broker lag", "ops-git", "runbook:ops-git/lag.md")
    monkeypatch.setenv("TOCSIN_KNOWLEDGE_SOURCES_OPS_GIT_TOKEN", "wrong")
    assert main(["--config", str(folder), "index"]) == 1
    said = capsys.readouterr().out
    assert "does not let us in" in said
    assert "handbook (folder): 1 kept" in said
    assert "2 runbooks" in said


def test_a_running_bot_hears_of_an_index_of_plain_folders(tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    (tmp_path / "tocsin.toml").write_text('[knowledge]\nrunbooks = ["books"]\nembedder = "none"\n')
    assert main(["--config", str(tmp_path), "index"]) == 0
    assert not (tmp_path / ".tocsin").exists()  # no bot ran yet, there is nobody to tell
    (tmp_path / ".tocsin").mkdir()
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    database.open()
    database.close()
    assert main(["--config", str(tmp_path), "index"]) == 0
    database.open(beside=True)
    assert database.read_now(lambda tx: SqlSwitchStore().get(tx, MARK))
    database.close()


def test_search_names_the_section_its_anchor_and_the_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "books").mkdir()
    page = "# Disk is full\n\nOwner: team-x\n\n## Clean up logs\n\n1. Rotate them\n2. Delete old ones\n"
    (tmp_path / "books" / "disk.md").write_text(page)
    (tmp_path / "books" / "cn.md").write_text(
        "---\nlink: https://wiki.example/cn\n---\n# 数据库连接池耗尽\n\n## 排查步骤\n\n- 重启支付服务\n"
    )
    (tmp_path / "tocsin.toml").write_text('[knowledge]\nrunbooks = ["books"]\nembedder = "none"\n')
    assert main(["--config", str(tmp_path), "search", "disk", "is", "full"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.endswith("Disk is full › Clean up logs  (found by words only)")
    assert rest == ["      books/disk.md#clean-up-logs", "      - Rotate them", "      - Delete old ones"]
    assert main(["--config", str(tmp_path), "search", "数据库连接池耗尽了怎么办"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["      https://wiki.example/cn#排查步骤", "      - 重启支付服务"]


async def test_doctor_asks_each_source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f.subject: f async for f in examine(folder)}
    assert not found["source ops-git"].ok
    assert "the token is wrong" in found["source ops-git"].text
    assert found["source handbook"].text.startswith("folder: 1 page, 0 copied, not synchronised yet")
    monkeypatch.setenv("TOCSIN_KNOWLEDGE_SOURCES_OPS_GIT_TOKEN", "the-token")
    found = {f.subject: f async for f in examine(folder)}
    assert found["source ops-git"].ok
    assert "only for #ops" in found["source ops-git"].text
    assert "linked pages" not in found


async def test_doctor_tells_from_where_linked_pages_are_fetched() -> None:
    sources = Sources(links=Links(["wiki.example", "*.docs.example", "http://10.0.0.7:8080"]))
    (finding,) = [f async for f in examine_sources(sources, None)]
    assert (finding.subject, finding.ok) == ("linked pages", True)
    assert finding.text == "fetched from *.docs.example, http://10.0.0.7:8080, wiki.example; 0 of 2000 kept"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '[knowledge.sources.x]\nkind = "gitt"',
            "kind is 'gitt'; it has to be one of confluence, folder, git, github, github-wiki",
        ),
        ('[knowledge.sources.x]\nkind = "folder"', "[knowledge.sources.x] needs path"),
        ('[knowledge.sources.x]\nkind = "folder"\npath = "a"\nholds = "poems"', "knowledge.sources.x.holds"),
        ('[knowledge.sources.x]\nkind = "folder"\npath = "a"\nchannels = ["#"]', 'channels = ["#payments"]'),
        ('[knowledge.sources.X_y]\nkind = "folder"\npath = "a"', "knowledge.sources"),
        ('[knowledge.sources.x]\nkind = "git"\nurl = "https://h/x.git"\ntoken = "s3cret"\ntokn = "s3cret"', "no setting 'tokn'"),
        ('[knowledge.sources.x]\nkind = "notion"\ntoken = ["s3cret"]', "[knowledge.sources.x] token"),
    ],
)
def test_a_source_that_is_set_up_wrongly_is_told_by_its_name(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "tocsin.toml").write_text(text)
    with pytest.raises(BadSettings) as caught:
        origins(load({}, tmp_path))
    assert told in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_secrets_of_sources_come_from_the_environment_and_show_up_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[knowledge.sources.ops-wiki]\nkind = "notion"\n')
    settings = load({"TOCSIN_KNOWLEDGE_SOURCES_OPS_WIKI_TOKEN": "s3cret"}, tmp_path)
    assert settings.knowledge.sources["ops-wiki"].own == {"token": "s3cret"}
    assert "s3cret" not in repr(settings)
    with pytest.raises(BadSettings, match=r"there are: \[knowledge.sources.ops-wiki\]"):
        load({"TOCSIN_KNOWLEDGE_SOURCES_OTHER_TOKEN": "s3cret"}, tmp_path)
