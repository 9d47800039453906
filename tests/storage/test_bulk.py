"""Many rows at once: what is kept is what SQLAlchemy itself would have kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, update

from bot.storage.alerts import alerts, instances
from bot.storage.bulk import among, execute_many, listed, put_many
from bot.storage.database import SqlDatabase, sql

AT = datetime(2026, 11, 22, 9, 0, 0, 120, tzinfo=timezone(timedelta(hours=2)))
_INSERT = insert(instances)
_ALERT = insert(alerts)
_END = update(instances).where(instances.c.key == bindparam("which")).values(ended_at=bindparam("end"))


def _instance(key: str) -> dict[str, object]:
    return {"key": key, "fingerprint": "f", "began_at": AT, "ended_at": None}


def test_rows_are_kept_with_their_times_in_utc(database: SqlDatabase) -> None:
    database.write_now(lambda tx: execute_many(tx, _INSERT, [_instance("a"), _instance("b")]))
    rows = database.read_now(lambda tx: sql(tx).execute(select(instances).order_by(instances.c.key)).all())
    assert [(r.key, r.began_at, r.ended_at) for r in rows] == [("a", AT.astimezone(UTC), None), ("b", AT.astimezone(UTC), None)]


def test_it_tells_how_many_rows_an_update_found(database: SqlDatabase) -> None:
    database.write_now(lambda tx: execute_many(tx, _INSERT, [_instance("a")]))
    ends = [{"which": "a", "end": AT}, {"which": "nobody", "end": AT}]
    assert database.write_now(lambda tx: execute_many(tx, _END, ends)) == 1
    assert database.write_now(lambda tx: execute_many(tx, _END, [])) == 0


def test_a_time_without_zone_is_refused(database: SqlDatabase) -> None:
    naive = {**_instance("a"), "began_at": datetime(2026, 11, 22)}  # noqa: DTZ001  that is the point
    with pytest.raises(Exception, match="no timezone"):
        database.write_now(lambda tx: execute_many(tx, _INSERT, [naive]))


def test_texts_are_made_fit_for_both_databases_as_ever(database: SqlDatabase) -> None:
    texts = dict.fromkeys(("fingerprint", "instance", "verdict", "incident_id", "body", "environment", "service"), "x")
    row = {**texts, "at": AT, "name": "a\x00" + "b" * 300, "severity": "SEV1", "resolved": False}
    database.write_now(lambda tx: execute_many(tx, _ALERT, [row]))
    name = database.read_now(lambda tx: sql(tx).execute(select(alerts.c.name)).scalar_one())
    assert name == "a\ufffd" + "b" * 198


def test_of_two_rows_with_one_key_the_last_wins_and_what_stood_there_goes(database: SqlDatabase) -> None:
    database.write_now(lambda tx: put_many(tx, instances, [_instance("a"), _instance("b")]))
    later = [{**_instance("a"), "fingerprint": which, "began_at": None} for which in ("g", "h")]
    database.write_now(lambda tx: put_many(tx, instances, later, replace=True))
    rows = database.read_now(lambda tx: sql(tx).execute(select(instances).order_by(instances.c.key)).all())
    assert [(r.key, r.fingerprint, r.began_at) for r in rows] == [("a", "h", None), ("b", "f", AT.astimezone(UTC))]


def test_many_rows_are_kept_as_one_would_be(database: SqlDatabase) -> None:
    texts = dict.fromkeys(("fingerprint", "instance", "verdict", "incident_id", "environment", "service"), "x")
    odd = ('{"a": "\\u0000 \\\\ %s :b"}', "müde \U0001f600 %(rows)s", "", "a\nb\t'\"")
    rows = [{**texts, "at": AT, "name": f"n\x00{n}", "severity": "SEV1", "resolved": n > 1, "body": b} for n, b in enumerate(odd)]
    database.write_now(lambda tx: put_many(tx, alerts, rows))
    kept = database.read_now(lambda tx: sql(tx).execute(select(alerts).order_by(alerts.c.name)).all())
    assert [(r.name, r.body, r.resolved, r.at) for r in kept] == [
        (f"n\ufffd{n}", body, n > 1, AT.astimezone(UTC)) for n, body in enumerate(odd)
    ]


def test_values_among_many_are_found(database: SqlDatabase) -> None:
    database.write_now(lambda tx: put_many(tx, instances, [_instance(f"{n:016}") for n in range(1_000)]))
    wanted = {"'", "ü", *(f"{n:016}" for n in range(500, 2_000))}
    query = select(instances.c.key).where(among("values", instances.c.key, "postgresql" if database.postgres else "sqlite"))
    found = database.read_now(lambda tx: set(sql(tx).execute(query, {"values": listed(wanted)}).scalars()))
    assert found == {f"{n:016}" for n in range(500, 1_000)}
