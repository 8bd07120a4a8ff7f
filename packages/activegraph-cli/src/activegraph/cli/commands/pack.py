"""`activegraph pack list` and `activegraph pack new`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli import render
from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.parameters import Here, Json, argument, option


def list_packs(*, json: Json = False, console: Here) -> int:
    """List the packs that are installed, with their version and where they were found."""
    from activegraph.packs import discover

    packs = discover()
    console.print(render.pack_list_json(packs) if json else render.pack_list_text(packs))
    return EXIT_OK


def new(
    name: Annotated[str, argument("NAME", "Letters, digits and dashes; it begins with a letter.")],
    /,
    *,
    output_dir: Annotated[str, option("--output-dir", "-o", help="Where to make the pack's directory.")] = ".",
    console: Here,
) -> int:
    """Write the beginnings of a pack: a distribution with one behavior and a test that passes."""
    from pathlib import Path

    from activegraph.packs.scaffold import normalize_pack_name, scaffold_pack

    try:
        normalize_pack_name(name)
    except ValueError as error:
        raise UsageError(str(error), "pack new") from error
    made = scaffold_pack(Path(output_dir), name)
    console.print(f"created {made}\nnext steps:\n  cd {made}\n  pip install -e .\n  pytest")
    return EXIT_OK
