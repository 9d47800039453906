"""Many rows at once: what is kept is what SQLAlchemy itself would have kept."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select, update

from bot.storage.alerts import alerts, instances
from bot.storage.bulk import execute_many
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
