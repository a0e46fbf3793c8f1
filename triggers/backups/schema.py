"""At which migrations a database is, and which tables it then has."""

from __future__ import annotations

from collections import defaultdict

from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.exceptions import InvalidMigrationPlan, IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

Migrations = dict[str, list[str]]


class SchemaError(Exception):
    """The database cannot be brought there."""


def of_database() -> tuple[Apps, Migrations]:
    """Return the models as they are in the database, which may be older than the code, and the newest migrations.

    Raises SchemaError where the database is newer.
    """
    loader = MigrationLoader(connection)
    if unknown := _unknown(loader, set(loader.applied_migrations)):
        raise SchemaError(f"The database is newer than this server: it does not know {unknown}. Install the newer one.")
    applied = [key for key in loader.applied_migrations if key in loader.graph.nodes]
    newest = defaultdict(list)
    for app, name in sorted(applied):
        children = {child.key for child in loader.graph.node_map[app, name].children if child.key[0] == app}
        if not children & set(applied):
            newest[app].append(name)
    return loader.project_state(applied).apps, dict(newest)


def at(migrations: Migrations) -> Apps:
    """Return the models as they were when these migrations, all known here, were the newest. Asks no database."""
    return MigrationLoader(None).project_state(sorted(_keys(migrations))).apps


def unknown(migrations: Migrations) -> str:
    """Return a migration that this server does not know, or "". Asks no database."""
    return _unknown(MigrationLoader(None), _keys(migrations))


def bring_to(migrations: Migrations) -> None:
    """Bring the tables of an empty database to where these migrations were the newest ones. Raises SchemaError."""
    executor = MigrationExecutor(connection)
    executor.loader.check_consistent_history(connection)
    try:
        for target in sorted(_keys(migrations) & executor.loader.applied_migrations.keys()):
            executor.migrate([target])  # back, where it is further
            executor.loader.build_graph()
        executor.migrate(sorted(_keys(migrations)))
    except (IrreversibleError, InvalidMigrationPlan) as error:
        raise SchemaError(
            "The backup is of an older version, and the tables of this database cannot be brought back to it: "
            "name a new database, without tables."
        ) from error


def _keys(migrations: Migrations) -> set[tuple[str, str]]:
    return {(app, name) for app, names in migrations.items() for name in names}


def _unknown(loader: MigrationLoader, keys: set[tuple[str, str]]) -> str:
    # An app that is no longer installed leaves its tables where they are.
    known = loader.disk_migrations
    of_ours = {app for app, _ in known}
    return next((f"{app}.{name}" for app, name in sorted(keys) if app in of_ours and (app, name) not in known), "")
