"""Found where `activegraph.packs.incident_review` is not installed, and says what to install."""

from activegraph.errors.registration import not_installed

raise not_installed(__name__, "activegraph-pack-incident-review")
