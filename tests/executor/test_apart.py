"""A bot whose executor is apart holds no deployer, and can sign; both are checked before anything starts."""

from pathlib import Path

import pytest

from bot.domain.service import Catalogue
from bot.errors import BadSettings
from bot.executor.keys import new_pair
from bot.executor.remote import RemoteDeployers
from bot.settings import load
from bot.storage.database import SqlDatabase
from bot.wiring.executor import deployers_of
from bot.wiring.vendors import vendors

APART = {"TOCSIN_EXECUTOR_MODE": "apart"}


def test_a_bot_apart_that_holds_a_deployer_does_not_start_and_never_shows_its_secret(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[deployers.shop]\nkind = "argocd"\nurl = "https://argo.example.com"\n')
    with pytest.raises(BadSettings, match=r"must hold no deploy credential, but it has \[deployers\.shop\]") as caught:
        vendors(load(APART | {"TOCSIN_DEPLOYERS_SHOP_TOKEN": "hunter2secret999"}, tmp_path))
    assert "hunter2" not in str(caught.value)


def test_a_bot_apart_needs_a_key_to_sign_with(tmp_path: Path) -> None:
    db = SqlDatabase(f"sqlite:///{tmp_path}/tocsin.db")
    with pytest.raises(BadSettings, match="run `tocsin executor keygen`"):
        deployers_of(load(APART, tmp_path), {}, db, lambda: Catalogue({}))
    (tmp_path / "key").write_text(new_pair()[0] + "\n")
    able = load(APART | {"TOCSIN_EXECUTOR_SIGNING_KEY_FILE": str(tmp_path / "key")}, tmp_path)
    assert isinstance(deployers_of(able, {}, db, lambda: Catalogue({})), RemoteDeployers)


def test_an_embedded_bot_has_its_own(tmp_path: Path) -> None:
    own = vendors(load({}, tmp_path)).deployers
    assert deployers_of(load({}, tmp_path), own, SqlDatabase(f"sqlite:///{tmp_path}/t.db"), lambda: Catalogue({})) is own
