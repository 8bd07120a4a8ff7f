"""Migration, under the path that operators import it from."""

from activegraph.operations.migrate import MigrationReport, MigrationRunReport, migrate

__all__ = ["MigrationReport", "MigrationRunReport", "migrate"]
