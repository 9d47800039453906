"""Trees of files: folders and real repositories over real HTTP, of which nothing is ever run or checked out."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import BadPayload, BadSettings, NotAllowed, NotFound, Unavailable
from bot.knowledge.copying import Origin
from bot.knowledge.sources import Sources
from bot.ports import Room
from bot.storage.copies import SqlCopyStore
from bot.storage.database import SqlDatabase
from bot.wire.filetree import Files
from bot.wire.trees import FolderTree, GitTree, Remote
from connectors import github, techdocs
from connectors.git import CONNECTOR
from tests.fakes import FakeClock
from tests.gitserver import Forge, a_forge, git

TOKEN = "glpat-very-secret-token"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with a_forge(tmp_path / "forge", TOKEN) as forge:
        yield forge


def a_tree(forge: Forge, tmp_path: Path, *, token: str = TOKEN, branch: str = "", name: str = "ops") -> GitTree:
    return GitTree(Remote(f"{forge.url}/acme/{name}.git", branch, token), tmp_path / "own" / "clone")


def a_room(tmp_path: Path) -> Room:
    return Room("ops", tmp_path, tmp_path / "own")


async def test_a_repository_is_copied_with_what_is_added_changed_moved_and_deleted(
    forge: Forge, tmp_path: Path, database: SqlDatabase, clock: FakeClock
) -> None:
    folder = forge.repository("acme/ops")
    long = "\n".join(f"Step {n}: look at the broker." for n in range(30))
    forge.commit(
        folder, {"README.md": "# How", "runbooks/a.md": f"# Alpha\n{long}", "runbooks/b.md": "# Beta\nText.", "x.py": "1"}
    )
    source = CONNECTOR.documents
    assert source is not None
    made = source({"url": f"{forge.url}/acme/ops.git", "token": TOKEN, "path": "runbooks"}, a_room(tmp_path))
    ops = Sources([Origin("ops", made)], database, SqlCopyStore(), clock)
    assert str(await ops.sync("ops")) == "2 new"
    assert {d.id: d.title for d in ops.documents()} == {"runbook:ops/a.md": "Alpha", "runbook:ops/b.md": "Beta"}
    assert next(iter(ops.documents())).link == f"{forge.url}/acme/ops/blob/HEAD/runbooks/a.md"
    git(folder, "mv", "runbooks/a.md", "runbooks/moved.md")
    forge.commit(folder, {"runbooks/moved.md": f"# Alpha\n{long}\nStep 31: call somebody.", "runbooks/b.md": None})
    assert str(await ops.sync("ops")) == "1 changed, 1 moved, 1 gone"
    [document] = ops.documents()
    assert (document.id, document.path) == ("runbook:ops/a.md", "runbooks/moved.md")
    assert "Step 31" in document.text
    assert ops.of_repository("acme/ops") == ("ops",)
    assert str(await ops.sync("ops")) == "1 kept"


async def test_the_token_is_nowhere_but_in_the_environment_of_git(
    forge: Forge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forge.commit(forge.repository("acme/ops"), {"a.md": "Alpha."})
    tree = a_tree(forge, tmp_path)
    seen: list[str] = []

    async def watch() -> None:
        while True:
            for process in Path("/proc").iterdir():
                if process.name.isdecimal():
                    try:
                        seen.append((process / "cmdline").read_bytes().decode(errors="replace"))
                    except OSError:
                        continue
            await asyncio.sleep(0.005)

    def fetching() -> bool:
        return any("fetch" in line and forge.url in line for line in seen)

    watching = asyncio.create_task(watch())
    await tree.listing()
    for n in range(50):
        if fetching():
            break
        await a_tree(forge, tmp_path / f"again-{n}").listing()  # git was quicker than whoever watches
    watching.cancel()
    assert fetching()
    secrets = (TOKEN, "eC1hY2Nlc3MtdG9rZW46")  # and how HTTP writes it
    assert not [line for line in seen if any(s in line for s in secrets)]
    for file in (tmp_path / "own").rglob("*"):
        assert not file.is_file() or not any(s.encode() in file.read_bytes() for s in secrets), file
    assert (tmp_path / "own" / "clone").stat().st_mode & 0o777 == 0o700
    with pytest.raises(NotAllowed) as caught:
        await a_tree(forge, tmp_path, token="wrong-token").listing()
    assert "wrong-token" not in f"{caught.value!r} {caplog.text}"
    assert "127.0.0.1/acme/ops does not let us in" in str(caught.value)


async def test_nothing_of_a_repository_is_run_followed_or_checked_out(forge: Forge, tmp_path: Path) -> None:
    folder = forge.repository("acme/ops")
    forge.commit(
        folder,
        {"a.md": "Alpha.", ".gitattributes": "*.md filter=evil diff=evil", ".gitmodules": '[submodule "s"]\npath=s\nurl=x\n'},
    )
    (folder / "link.md").symlink_to("/etc/passwd")
    forge.commit(folder, {"b.md": "Beta."})
    tree = a_tree(forge, tmp_path)
    files = await tree.listing()
    assert sorted(Files(tree)._is_document(path) and path for path in files if path.endswith(".md")) == ["a.md", "b.md"]
    assert await tree.read("link.md") is None
    clone = tmp_path / "own" / "clone"
    assert not list(clone.glob("hooks/*"))
    assert not (clone / "a.md").exists()


async def test_a_branch_that_is_not_there_and_a_server_in_trouble_are_told_apart(forge: Forge, tmp_path: Path) -> None:
    forge.commit(forge.repository("acme/ops"), {"a.md": "Alpha."})
    with pytest.raises(NotFound, match="no branch nowhere"):
        await a_tree(forge, tmp_path, branch="nowhere").listing()
    with pytest.raises(NotFound, match="no repository"):
        await a_tree(forge, tmp_path, name="absent").listing()
    forge.status = 500
    with pytest.raises(Unavailable, match=r"git fetch of 127\.0\.0\.1/acme/ops failed"):
        await a_tree(forge, tmp_path).listing()


async def test_a_repository_that_is_too_large_is_not_copied(forge: Forge, tmp_path: Path) -> None:
    folder = forge.repository("acme/ops")
    (folder / "big.bin").write_bytes(os.urandom(3_000_000))
    forge.commit(folder, {"a.md": "Alpha."})
    tree = GitTree(Remote(f"{forge.url}/acme/ops.git", "", TOKEN), tmp_path / "clone", most_bytes=1_000_000)
    with contextlib.suppress(BadPayload):  # unless it came faster than the look at its size
        await tree.listing()
    (tmp_path / "clone" / "mark").write_text("old" * 1_000_000)
    with contextlib.suppress(BadPayload):  # as above
        await tree.listing()
    assert not (tmp_path / "clone" / "mark").exists()  # what had grown too large was begun anew


@pytest.mark.parametrize(
    "url",
    [
        "http://git.example/acme/ops.git",
        "file:///srv/ops.git",
        "ext::sh -c id",
        "ssh://git@github.com/acme/ops.git",
        "https://ada:secret@git.example/ops.git",
        "--upload-pack=id",
        "/srv/ops.git",
    ],
)
def test_only_plain_https_addresses_are_taken(url: str, tmp_path: Path) -> None:
    assert CONNECTOR.documents is not None
    with pytest.raises(BadSettings, match=r"\[knowledge.sources.ops\] url") as caught:
        CONNECTOR.documents({"url": url}, a_room(tmp_path))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("left", ["shallow.lock", "refs/tocsin/now.lock", "HEAD", "refs/tocsin/now"])
async def test_a_clone_whose_git_was_killed_is_made_anew(forge: Forge, tmp_path: Path, left: str) -> None:
    repository = forge.repository("acme/ops")
    forge.commit(repository, {"a.md": "# A"})
    tree = a_tree(forge, tmp_path)
    await tree.listing()
    (tmp_path / "own" / "clone" / left).write_text("")
    forge.commit(repository, {"b.md": "# B"})
    assert set(await tree.listing()) == {"a.md", "b.md"}
    assert await tree.read("b.md") == b"# B"


def test_a_branch_is_no_option(tmp_path: Path) -> None:
    assert CONNECTOR.documents is not None
    for branch in ("--upload-pack=id", "a..b", "-x"):
        with pytest.raises(BadSettings, match="no name of a branch"):
            CONNECTOR.documents({"url": "https://git.example/ops.git", "branch": branch}, a_room(tmp_path))


async def test_a_wiki_of_github_is_its_own_repository(forge: Forge, tmp_path: Path) -> None:
    forge.commit(forge.repository("acme/shop.wiki"), {"Broker-lag.md": "Restart.", "_Sidebar.md": "x", "Home.md": "Hello."})
    assert github.CONNECTOR.documents is not None
    values = {"repository": "acme/shop", "wiki": True, "url": forge.url, "token": TOKEN}
    wiki = github.CONNECTOR.documents(values, a_room(tmp_path))
    assert sorted(await wiki.listing()) == ["Broker-lag.md", "Home.md"]
    page = await wiki.fetch("Broker-lag.md")
    assert page is not None
    assert page.link == f"{forge.url}/acme/shop/wiki/Broker-lag"


async def test_a_folder_follows_no_links_out_of_it_and_reads_only_what_changed(tmp_path: Path) -> None:
    folder = tmp_path / "handbook"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "secret.md").write_text("Secret.")
    (folder / "deep" / "a.md").write_text("Alpha.")
    (folder / ".hidden.md").write_text("x")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    source = Files(FolderTree(folder))
    before = await source.listing()
    assert list(before) == ["deep/a.md"]
    assert await source.fetch("../secret.md") is None
    (folder / "deep" / "a.md").write_text("Alpha and more.")
    assert (await source.listing())["deep/a.md"] != before["deep/a.md"]
    with pytest.raises(NotFound, match="There is no folder"):
        await Files(FolderTree(tmp_path / "absent")).listing()


async def test_a_file_whose_name_is_no_text_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    (tmp_path / os.fsdecode(b"\xff.md")).write_text("# B")
    assert set(await FolderTree(tmp_path).listing()) == {"a.md"}


async def test_a_file_that_may_not_be_read_is_named_and_one_that_vanishes_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("# A")
    raised: list[OSError] = [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")]

    def refused(*_: object) -> None:
        raise raised.pop(0)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(Unavailable, match=r"a\.md cannot be read: Permission denied"):
        await FolderTree(tmp_path).listing()
    assert await FolderTree(tmp_path).listing() == {}


async def test_techdocs_takes_titles_from_the_menu_and_owner_and_service_from_the_catalogue(tmp_path: Path) -> None:
    site = tmp_path / "services" / "payments"
    (site / "docs" / "ops").mkdir(parents=True)
    (site / "mkdocs.yml").write_text(
        "site_name: Payments\nnav:\n  - Home: index.md\n  - Operations:\n      - Broker lag: ops/lag.md\n"
        "markdown_extensions:\n  - x: !!python/name:os.system\n"
    )
    (site / "catalog-info.yaml").write_text(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: payments-api\n  annotations:\n"
        "    backstage.io/techdocs-ref: dir:.\nspec:\n  owner: group:default/team-payments\n"
    )
    (site / "docs" / "index.md").write_text("# Payments\nHello.")
    (site / "docs" / "ops" / "lag.md").write_text("Restart the broker.")
    (tmp_path / "elsewhere.md").write_text("No page of a site.")
    assert techdocs.CONNECTOR.documents is not None
    values = {"path": str(tmp_path), "backstage_url": "https://backstage.example"}
    source = techdocs.CONNECTOR.documents(values, a_room(tmp_path))
    before = await source.listing()
    assert sorted(before) == ["services/payments/docs/index.md", "services/payments/docs/ops/lag.md"]
    page = await source.fetch("services/payments/docs/ops/lag.md")
    assert page is not None
    assert (page.title, page.path) == ("Broker lag", "Payments/Operations/Broker lag")
    assert page.link == "https://backstage.example/docs/default/component/payments-api/ops/lag/"
    assert (page.front["owner"], page.front["services"]) == ("team-payments", ["payments-api"])
    catalogue = site / "catalog-info.yaml"
    catalogue.write_text(catalogue.read_text().replace("team-payments", "team-core"))
    after = await source.listing()
    assert all(after[path] != before[path] for path in before)
    with pytest.raises(BadSettings, match="either path"):
        techdocs.CONNECTOR.documents({}, a_room(tmp_path))
