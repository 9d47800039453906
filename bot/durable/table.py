"""The work table: what is to be done, who does it, what became of it. Times are seconds since 1970."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()

READY, RUNNING, DONE, DEAD = "ready", "running", "done", "dead"

# SQLite numbers rows by itself only for a column that is exactly INTEGER.
_SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")

work = Table(
    "work",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("queue", String(40), nullable=False),
    Column("name", String(80), nullable=False),
    Column("args", Text, nullable=False),
    Column("partition", String(200)),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("crashes", Integer, nullable=False, default=0),
    Column("run_at", Float(53), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("finished_at", Float(53)),
    Column("owner", String(40)),
    Column("error", Text, nullable=False, default=""),
)

Index(
    "uq_work_running_partition",
    work.c.queue,
    work.c.partition,
    unique=True,
    sqlite_where=text("state = 'running'"),
    postgresql_where=text("state = 'running'"),
)
Index("ix_work_pace", work.c.queue, work.c.partition, work.c.started_at)
for _name, _columns, _where in (
    ("ix_work_ready", (work.c.queue, work.c.run_at, work.c.seq), "state = 'ready'"),
    ("ix_work_line", (work.c.queue, work.c.partition, work.c.seq, work.c.run_at, work.c.attempts), "state = 'ready'"),
    ("ix_work_owner", (work.c.owner,), "state = 'running'"),
    ("ix_work_done", (work.c.finished_at,), "state = 'done'"),
):
    Index(_name, *_columns, sqlite_where=text(_where), postgresql_where=text(_where))

replica = Table(
    "work_replica",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("beat", Float(53), nullable=False),
)
