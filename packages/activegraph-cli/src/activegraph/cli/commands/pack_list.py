"""`activegraph pack list`."""

from __future__ import annotations

from activegraph.cli import render
from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.parameters import Here, Json


def pack_list(*, json: Json = False, console: Here) -> int:
    """Show the installed packs: name, version, and the entry point that announces each.

    A pack that cannot be imported is named on stderr and left out.
    """
    import warnings

    from activegraph.packs import discover

    with console.foreign_code(), warnings.catch_warnings(record=True) as skipped:
        warnings.simplefilter("always")
        found = discover()
    for warning in skipped:
        console.note(f"note: {warning.message}")
    console.print(render.pack_list_json(found) if json else render.pack_list_text(found))
    return EXIT_OK
