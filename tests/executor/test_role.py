"""On PostgreSQL an executor gets by with the role of docs/executor.md, which may touch two tables and read nothing else."""

import re
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from bot.executor.mailboxes import DatabaseMailbox
from bot.ports import Order, RunState
from bot.storage.database import SqlDatabase, sql
from tests.actions.estate import FakeDeployer
from tests.executor.room import STORE, an_executor, bench, now, remote

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs/executor.md"


async def test_the_role_of_the_documentation_is_enough_and_no_more(opened: SqlDatabase) -> None:
    (statements,) = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    url = opened._url
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as server:
        server.execute("DROP ROLE IF EXISTS tocsin_executor")
        server.execute(statements.replace("DATABASE tocsin ", f'DATABASE "{url.database}" '))
    own = SqlDatabase(url.set(username="tocsin_executor", password="change-me").render_as_string(hide_password=False))
    own.open(beside=True)
    try:
        vendor, here = FakeDeployer(), remote(opened)
        async with an_executor(DatabaseMailbox(own, STORE, now, "exe-1", ("shop",)), bench(vendor)):
            run = await here.start(Order("payments", "production", "v42", "a1", "v42-sha"))
        assert (run.state, vendor.runs) == (RunState.SUCCEEDED, ["a1"])
        for table in ("actions", "incidents", "inbox", "journal", "ledger", "errands"):
            await _refused(own, table)
    finally:
        own.close()
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True) as server:
            server.execute("DROP OWNED BY tocsin_executor")
            server.execute("DROP ROLE tocsin_executor")


async def _refused(own: SqlDatabase, table: str) -> None:
    statement = "DELETE FROM errands" if table == "errands" else f"SELECT * FROM {table}"
    with pytest.raises(ProgrammingError, match="permission denied"):
        await own.read(lambda tx: sql(tx).execute(text(statement)))
