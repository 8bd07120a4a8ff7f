"""Found where `activegraph.store.postgres` is not installed, and says what to install."""

from activegraph.errors.registration import not_installed

raise not_installed(__name__, "activegraph-store-postgres", extras="postgres")
