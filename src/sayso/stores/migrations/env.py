"""How Alembic runs here: on the connection it is handed, within the transaction that is already open."""

from alembic import context

from sayso.stores.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
