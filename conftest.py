"""What every test of the workspace may use."""

pytest_plugins = ["support.postgres_fixtures"]
