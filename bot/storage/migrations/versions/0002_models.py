"""The journal becomes a chain, the audit lets go of people's names, and there are switches.

What 0001 kept is carried over: each answer becomes a line of the journal, in order of time; each audit line keeps its hash and
gets a seal (see `bot.storage.ledger`). The hashes here are those of `bot.storage.chain`, whose format is for good.
"""

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from bot.storage.chain import line_hash, part_digest, random_salt
from bot.storage.database import UtcDateTime

revision = "0002"
down_revision = "0001"

WHY = "people can be erased from the lines before this one; its subject is the hash of their seals"


def upgrade() -> None:
    """Add what 2/6 keeps, and carry over what 1/6 kept."""
    op.create_table(
        "switches",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("position", sa.String(64), nullable=False),
        sa.Column("turned_by", sa.String(64), nullable=False),
        sa.Column("turned_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
    )
    _journal()
    _chain_the_answers()
    _ledger()


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("feature", sa.String(20), nullable=False),
        sa.Column("engine", sa.String(200), nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("thread", sa.String(64), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("cost", sa.Float(53), nullable=False),
        sa.Column("cost_known", sa.Boolean(), nullable=False),
        sa.Column("latency_ms", sa.Float(53), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_journal"),
        sa.UniqueConstraint("id", name="uq_journal_id"),
    )
    for column in ("at", "incident_id", "person", "thread"):
        op.create_index(f"ix_journal_{column}", "journal", [column])
    _apart("journal", "content", sa.Column("body", sa.Text(), nullable=False))


def _apart(lines: str, name: str, told: "sa.Column[str]") -> None:
    op.create_table(
        f"{lines}_{name}",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(64), nullable=False),
        told,
        sa.ForeignKeyConstraint(["seq"], [f"{lines}.seq"], name=f"fk_{lines}_{name}_seq"),
        sa.PrimaryKeyConstraint("seq", name=f"pk_{lines}_{name}"),
    )


def _table(name: str, *columns: str, times: tuple[str, ...] = ("at",)) -> sa.TableClause:
    return sa.table(name, *(sa.column(c, UtcDateTime() if c in times else None) for c in columns))


def _chain_the_answers() -> None:
    connection = op.get_bind()
    old = _table("interactions", "id", "at", "incident_id", "body")
    new = _table(
        "journal", "seq", "id", "at", "feature", "engine", "incident_id", "thread", "calls", "cost", "cost_known",
        "latency_ms", "failed", "content", "previous", "hash", "person",
    )  # fmt: skip
    apart = _table("journal_content", "seq", "salt", "body")
    previous = ""
    for seq, row in enumerate(connection.execute(sa.select(old).order_by(old.c.at, old.c.id)).mappings().all(), 1):
        body, salt = json.loads(row["body"]), random_salt()
        line = {
            "seq": seq,
            "id": row["id"],
            "at": row["at"],
            "feature": body["feature"],
            "engine": body["engine"],
            "incident_id": row["incident_id"],
            "thread": body.get("thread", ""),
            "calls": 0,
            "cost": float(body.get("cost", 0.0)),
            "cost_known": bool(body.get("cost_known", True)),
            "latency_ms": float(body.get("latency_ms", 0.0)),
            "failed": bool(body.get("error", "")),
            "content": part_digest(salt, row["body"]),
            "previous": previous,
        }
        previous = line_hash(["journal", *line.values()])
        connection.execute(sa.insert(new).values(**line, hash=previous, person=body.get("user", "")[:64]))
        connection.execute(sa.insert(apart).values(seq=seq, salt=salt, body=row["body"]))
    op.drop_table("interactions")


def _ledger() -> None:
    connection = op.get_bind()
    line_columns = ("seq", "at", "actor", "deed", "subject", "content", "previous", "hash")
    lines = _table("ledger", *line_columns, "seal")
    actors = _table("ledger_actor", "seq", "salt", "name")
    apart = _table("ledger_content", "seq", "salt", "detail")
    was = [
        dict(row) for row in connection.execute(sa.select(*(lines.c[c] for c in line_columns)).order_by(lines.c.seq)).mappings()
    ]
    told = [dict(row) for row in connection.execute(sa.select(apart).order_by(apart.c.seq)).mappings()]
    op.drop_table("ledger_content")
    op.drop_table("ledger")
    _ledger_tables()
    seals = hashlib.sha256()
    for row in was:
        salt, name = random_salt(), row["actor"]
        row["actor"] = part_digest(salt, name)
        row["seal"] = line_hash(["audit seal", row["actor"], *(row[c] for c in line_columns if c != "actor")])
        seals.update(row["seal"].encode())
        connection.execute(sa.insert(lines).values(**row))
        connection.execute(sa.insert(actors).values(seq=row["seq"], salt=salt, name=name))
    for row in told:
        connection.execute(sa.insert(apart).values(**row))
    if was:
        last, detail, salts = was[-1], json.dumps({"why": WHY}, separators=(",", ":")), (random_salt(), random_salt())
        facts = {
            "seq": last["seq"] + 1,
            "at": datetime.now(UTC),
            "actor": part_digest(salts[0], "tocsin"),
            "deed": "sealed",
            "subject": seals.hexdigest(),
            "content": part_digest(salts[1], detail),
            "previous": last["hash"],
        }
        connection.execute(sa.insert(lines).values(**facts, hash=line_hash(["audit", *facts.values()]), seal=""))
        connection.execute(sa.insert(actors).values(seq=facts["seq"], salt=salts[0], name="tocsin"))
        connection.execute(sa.insert(apart).values(seq=facts["seq"], salt=salts[1], detail=detail))


def _ledger_tables() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("deed", sa.String(100), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("content", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger"),
    )
    op.create_index("ix_ledger_subject", "ledger", ["subject"])
    _apart("ledger", "actor", sa.Column("name", sa.String(200), nullable=False))
    op.create_index("ix_ledger_actor_name", "ledger_actor", ["name"])
    _apart("ledger", "content", sa.Column("detail", sa.Text(), nullable=False))
