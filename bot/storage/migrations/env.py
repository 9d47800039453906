"""Run by Alembic only: takes the open transaction that `upgrade` hands over, so that all steps commit together."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
