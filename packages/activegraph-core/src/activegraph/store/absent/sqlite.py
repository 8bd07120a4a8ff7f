"""Found where `activegraph.store.sqlite` is not installed, and says what to install."""

from activegraph.errors.registration import not_installed

raise not_installed(__name__, "activegraph-store-sqlite")
