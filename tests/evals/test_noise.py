"""`tocsin eval noise`: figures that mean what docs/noise-evaluation.md says, from a replay of the real stories."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from bot.commands.replaying import run_noise
from bot.errors import BadSettings
from bot.evals.noise import Fate, Seen, Truth, adjusted_rand, check, pairwise, read_stream, read_truth, score
from tests.evals import noise_cells, noise_stream, noise_tiers

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROMISED = [
    *("n", "precision", "recall", "f1", "ari", "notifications", "compression", "missed_incidents", "held_critical"),
    *("delay_s_p50", "delay_s_p95"),
]


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def fates(**places: str) -> dict[str, Fate]:
    """a="1" is an alert `a` that incident 1 took at once; "" one that no incident took."""
    return {id: Fate(NOON, place, NOON if place else None) for id, place in places.items()}


def truth(**groups: str) -> dict[str, Truth]:
    return {id: Truth(group, False) for id, group in groups.items()}


def test_pairs_of_one_group_in_one_incident_are_right_and_all_others_wrong() -> None:
    assert pairwise(fates(a="1", b="1", c="2"), truth(a="g", b="g", c="h")) == (1.0, 1.0)
    assert pairwise(fates(a="1", b="1", c="1"), truth(a="g", b="g", c="h")) == (1 / 3, 1.0)
    assert pairwise(fates(a="1", b="2", c="2"), truth(a="g", b="g", c="g")) == (1.0, 1 / 3)


def test_noise_in_somebodys_incident_is_wrong_and_noise_among_itself_is_nothing() -> None:
    assert pairwise(fates(a="1", b="1", x="1"), truth(a="g", b="g", x="")) == (1 / 3, 1.0)
    assert pairwise(fates(x="1", y="1"), truth(x="", y="")) == (1.0, 1.0)
    assert pairwise(fates(a="1", b="", x=""), truth(a="g", b="g", x="")) == (1.0, 0.0)


def test_the_rand_index_is_adjusted_for_chance() -> None:
    assert adjusted_rand({"a": "g", "b": "g", "c": "h"}, {"a": "1", "b": "1", "c": "2"}) == 1.0
    # Hubert and Arabie's own table: 6 things, 3 and 3, found as 2, 2, 2
    six = {"a": "g", "b": "g", "c": "g", "d": "h", "e": "h", "f": "h"}
    found = {"a": "1", "b": "1", "c": "2", "d": "2", "e": "3", "f": "3"}
    assert adjusted_rand(six, found) == pytest.approx(0.24242424)


def test_what_nobody_heard_of_is_missed_and_a_critical_that_no_card_shows_is_held() -> None:
    known = {"a": Truth("g", True), "b": Truth("h", True), "c": Truth("i", False), "x": Truth("", False)}
    seen = Seen(fates(a="1", b="", c="2", x="1"), {"1": at(5)}, notifications=1, firings=10)
    found = score(seen, known)
    assert (found["missed_incidents"], found["held_critical"]) == (2, 1)
    assert (found["compression"], found["delay_s_p50"], found["noise_shown"]) == (0.9, 5.0, 1)


def test_a_group_that_slips_into_anothers_incident_is_heard_of_when_it_joins_and_counted() -> None:
    seen = Seen({"a": Fate(NOON, "1", NOON), "b": Fate(at(60), "1", at(70))}, {"1": at(1)}, notifications=1, firings=2)
    found = score(seen, truth(a="g", b="h"))
    assert (found["delay_s_p95"], found["groups_in_anothers_incident"]) == (10.0, 1)


def test_the_ids_are_taken_out_of_the_payload_in_their_order(tmp_path: Path) -> None:
    payload = {"alerts": [{"labels": {"alertname": "A"}, "eval_id": "e2"}, {"eval_id": "e1", "labels": {"alertname": "B"}}]}
    stream = lines(
        tmp_path / "s",
        {"at": "2026-11-22T12:00:09Z", "connector": "alertmanager", "payload": payload},
        {"at": "2026-11-22T12:00:01", "connector": "generic", "payload": {"title": "x", "eval_id": 7}},
    )
    early, late = read_stream(stream)
    assert (early.line, early.at, early.eval_ids, early.body) == (2, at(1), ("7",), b'{"title": "x"}')
    assert (late.eval_ids, b"eval_id" in late.body) == (("e2", "e1"), False)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "not valid JSONL"),
        ({"at": "2026-11-22T12:00:09Z", "payload": {}}, ":1: 'connector' is missing"),
        ({"at": "noon", "connector": "alertmanager", "payload": {}}, ":1: at is 'noon'"),
        ({"at": "2026-11-22T12:00:09Z", "connector": "alertmanager", "payload": "x"}, ":1: connector has to be a name"),
    ],
)
def test_a_wrong_line_of_the_stream_is_named(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(BadSettings, match=says):
        read_stream(lines(tmp_path / "s", row))


def test_a_wrong_line_of_the_truth_is_named(tmp_path: Path) -> None:
    good = {"eval_id": "e1", "group": None, "critical": False}
    with pytest.raises(BadSettings, match=":2: 'group' is missing"):
        read_truth(lines(tmp_path / "t", good, {"eval_id": "e2"}))
    with pytest.raises(BadSettings, match=":2: eval_id 'e1' was told differently"):
        read_truth(lines(tmp_path / "t", good, {**good, "group": "g1"}))
    stream = {"at": "2026-11-22T12:00:09Z", "connector": "alertmanager", "payload": {"alerts": [{"eval_id": "e9"}]}}
    path = lines(tmp_path / "s", stream)
    with pytest.raises(BadSettings, match=":1: eval_id 'e9' is not in the truth"):
        check(read_stream(path), read_truth(lines(tmp_path / "t", good)), path)


def an_alert(id: str, service: str, seconds: float, *, ended: bool = False, name: str = "HighErrorRate") -> dict[str, object]:
    return {
        "status": "resolved" if ended else "firing",
        "labels": {"alertname": name, "service": service, "severity": "critical"},
        "annotations": {"summary": f"{service} fails"},
        "startsAt": at(0).isoformat(),
        "endsAt": at(seconds).isoformat() if ended else "0001-01-01T00:00:00Z",
        "eval_id": id,
    }


def delivery(seconds: float, *alerts: dict[str, object], connector: str = "alertmanager") -> dict[str, object]:
    return {"at": at(seconds).isoformat(), "connector": connector, "payload": {"version": "4", "alerts": list(alerts)}}


SERVICES = "services: [{name: web, depends_on: [api]}, {name: api}, {name: blog}]\n"


async def replayed(folder: Path, *deliveries: dict[str, object], **groups: str) -> dict[str, object]:
    services = folder / "services.yaml"
    services.write_text(SERVICES, encoding="utf-8")
    known = [{"eval_id": id, "group": group or None, "critical": True} for id, group in groups.items()]
    return await run_noise(lines(folder / "s", *deliveries), lines(folder / "t", *known), services, lambda _: None)


async def test_two_incidents_that_have_nothing_in_common_are_two_cards(tmp_path: Path) -> None:
    found = await replayed(
        tmp_path,
        delivery(0, an_alert("a", "api", 0), an_alert("b", "blog", 0)),
        delivery(0, an_alert("a", "api", 0), an_alert("b", "blog", 0)),  # the sender tries again
        delivery(30, an_alert("c", "web", 0)),
        delivery(300, an_alert("a", "api", 290, ended=True), an_alert("c", "web", 290, ended=True)),
        delivery(340, an_alert("d", "api", 330, name="Slow")),
        {"at": at(900).isoformat(), "connector": "alertmanager", "payload": {"alerts": "none"}},
        a="g1", c="g1", d="g1", b="g2",
    )  # fmt: skip
    assert list(found)[: len(PROMISED)] == PROMISED
    assert (found["n"], found["firings"], found["notifications"], found["f1"], found["ari"]) == (4, 5, 3, 1.0, 1.0)
    assert found["unreadable"] == 1  # what cannot be read is an incident of its own, and not the end
    assert (found["missed_incidents"], found["held_critical"], found["delay_s_p95"]) == (0, 0, 1.0)


async def test_a_connector_that_nobody_knows_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="Line 1 of the stream: there is no connector 'nosuch'; there are alertmanager"):
        await replayed(tmp_path, delivery(0, an_alert("a", "api", 0), connector="nosuch"), a="g")


def test_a_made_up_day_is_the_same_for_the_same_seed_and_has_everything_in_it() -> None:
    day, again, other = noise_stream.a_day(3), noise_stream.a_day(3), noise_stream.a_day(4)
    assert day.firings == again.firings != other.firings
    names = {f.labels["alertname"] for f in day.firings}
    assert {"NodeNotReady", "CertificateExpired", "PodNotReady", "UpstreamTimeouts"} <= names
    assert any(f.group is None for f in day.firings)
    assert any(f.labels.get("service", "").startswith("legacy-") for f in day.firings)
    assert any(day.critical.values())


@pytest.mark.slow
async def test_of_a_day_of_other_habits_nothing_that_matters_is_kept_from_people(tmp_path: Path) -> None:
    found = await run_noise(*noise_tiers.write(tmp_path, seed=5, hours=3), lambda _: None)
    assert (found["missed_incidents"], found["held_critical"]) == (0, 0)
    assert isinstance(found["f1"], float)
    assert found["f1"] >= 0.7, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("day", "seed", "hours", "f1", "compression"),
    [
        (noise_stream, 11, 2, 0.90, 0.93),
        (noise_stream, 12, 2, 0.95, 0.93),
        (noise_tiers, 11, 6, 0.93, 0.91),
        (noise_tiers, 12, 6, 0.73, 0.94),
        (noise_cells, 11, 3, 0.55, 0.90),
        (noise_cells, 12, 3, 0.76, 0.93),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if isinstance(value, ModuleType) else None,
)
async def test_days_that_chose_no_weight_come_out_no_worse_than_they_did(
    tmp_path: Path, day: ModuleType, seed: int, hours: int, f1: float, compression: float
) -> None:
    found = await run_noise(*day.write(tmp_path, seed=seed, hours=hours), lambda _: None)
    assert (found["missed_incidents"], found["held_critical"]) == (0, 0)
    assert isinstance(found["f1"], float)
    assert isinstance(found["compression"], float)
    assert found["f1"] >= f1, found
    assert found["compression"] >= compression, found


@pytest.mark.slow
async def test_of_a_day_with_cells_and_a_wrong_catalogue_nothing_that_matters_is_kept_from_people(tmp_path: Path) -> None:
    found = await run_noise(*noise_cells.write(tmp_path, seed=14, hours=5), lambda _: None)
    assert (found["missed_incidents"], found["held_critical"]) == (0, 0)
    assert isinstance(found["f1"], float) and isinstance(found["compression"], float)  # noqa: PT018  both are figures
    assert found["f1"] >= 0.8, found
    assert found["compression"] >= 0.88, found


def test_what_was_merged_belongs_to_the_incident_that_took_it() -> None:
    seen = Seen(fates(a="1", b="2"), {"1": at(1), "2": at(1)}, notifications=2, firings=2, merged={"1": "2"})
    assert score(seen, truth(a="g", b="g"))["f1"] == 1.0
