"""What was shipped is remembered with its services, and the incidents near it hear of it."""

from datetime import timedelta

import pytest

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.flows.changes import sentence
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, a_change, an_alert
from tests.flows.desk_of_alerts import Story


@pytest.fixture
def story(database: SqlDatabase) -> Story:
    return Story(database)


def kept(story: Story, id: str = "github:deployment:43") -> Change:
    change = story.database.read_now(lambda tx: story.desk.changes.get(tx, id))
    assert change is not None
    return change


def a_commit(**fields: object) -> Change:
    sha = "3f2c1a9" + "0" * 33
    of = {"id": f"github:commit:demo/shop:{sha}", "kind": ChangeKind.COMMIT, "services": (), "environment": "", "version": ""}
    return a_change(**{**of, "commit": sha, **fields})


def test_a_deploy_is_kept_under_its_services_own_name_and_the_default_environment(story: Story) -> None:
    story.changes(a_change(services=("payments-api",), environment=""))
    assert (kept(story).services, kept(story).environment) == (("payments",), "production")


def test_nothing_secret_or_deceiving_in_the_words_of_a_change_is_kept(story: Story) -> None:
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    story.changes(
        a_change(
            title=f"use {token}",
            author="oli\u202evia",
            url=f"https://ci:{token}@ci.example/1",
            files=("a\u200bb.py", f"keys/{token}.pem"),
            version=token,
            repository=f"https://gitlab-ci-token:{token}@git.example/demo/shop.git",
            services=("payments-api", f"cart-{token}"),
        )
    )
    change = kept(story)
    assert change.repository == "https://gitlab-ci-token:[SECRET]@git.example/demo/shop.git"
    assert change.services == ("payments", "cart-[SECRET]")
    assert (change.title, change.author, change.version) == ("use [SECRET]", "olivia", "[SECRET]")
    assert change.files == ("ab.py", "keys/[SECRET].pem")
    assert token not in change.url


def test_what_names_a_change_is_kept_as_it_is(story: Story) -> None:
    sha = "3f2c1a9be7710c838347ae178b4a3f2c1a9be771"
    story.changes(a_change(version=sha, author="Olivia Oncall", url=f"https://github.com/demo/shop/commit/{sha}"))
    change = kept(story)
    assert (change.version, change.author, change.url) == (sha, "Olivia Oncall", f"https://github.com/demo/shop/commit/{sha}")


def test_a_commit_belongs_to_the_services_that_its_files_ship_with(story: Story) -> None:
    story.changes(a_commit(files=("lib/client.py", "docs/readme.md")))
    assert kept(story, a_commit().id).services == ("payments", "inventory")
    assert kept(story, a_commit().id).environment == ""


def test_a_deploy_that_names_no_service_is_placed_by_the_files_of_its_commit(story: Story) -> None:
    story.changes(a_change(services=()), a_commit(files=("services/checkout/app.py",)))
    assert kept(story).services == ("checkout",)


def test_a_deploy_of_which_nothing_is_known_belongs_to_every_service_of_its_repository(story: Story) -> None:
    story.changes(a_change(services=()))
    assert kept(story).services == ("storefront", "checkout", "payments", "inventory")


def test_a_live_incident_of_a_dependant_hears_of_the_deploy_once_and_is_looked_at_again(story: Story) -> None:
    story.alerts(an_alert(service="checkout"))
    before = len(story.work.named("investigate"))
    story.changes(a_change())
    story.changes(a_change())
    told = [t for t in story.told(story.only()) if "v43" in t]
    assert told == ["payments v43 was deployed to production by olivia (3f2c1a9)"]
    assert len(story.work.named("investigate")) == before + 1


@pytest.mark.parametrize(
    "change",
    [
        a_change(services=("blog",)),
        a_change(environment="staging"),
        a_change(at=NOON - timedelta(hours=3)),
        a_commit(files=("services/payments/app.py",)),
    ],
)
def test_an_incident_hears_nothing_of_changes_that_cannot_concern_it(story: Story, change: Change) -> None:
    story.alerts(an_alert())
    story.changes(change)
    assert len(story.told(story.only())) == 1


def test_every_step_of_a_deploy_is_told_once_in_whatever_order_it_is_reported(story: Story) -> None:
    story.alerts(an_alert())
    done = a_change(at=NOON - timedelta(minutes=1))
    story.changes(done)
    story.changes(a_change(status=ChangeStatus.RUNNING, at=NOON - timedelta(minutes=2)))
    assert kept(story).status is ChangeStatus.SUCCEEDED
    assert len(story.told(story.only())) == 2


def test_a_secret_in_a_title_is_not_kept(story: Story) -> None:
    token = "ghp_" + "R4nd0mT0k3nAbCdEfGhIjKlMnOpQrStUvWx9"
    story.changes(a_change(title=f"use {token}"))
    assert token not in kept(story).title


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ChangeStatus.PENDING, "payments v43 is about to be deployed to production by olivia (3f2c1a9)"),
        (ChangeStatus.FAILED, "payments v43 failed to deploy to production by olivia (3f2c1a9)"),
    ],
)
def test_a_change_is_said_as_people_say_it(status: ChangeStatus, said: str) -> None:
    assert sentence(a_change(status=status)) == said
