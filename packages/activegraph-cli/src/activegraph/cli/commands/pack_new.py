"""`activegraph pack new`."""

from __future__ import annotations

from typing import Annotated

from activegraph.cli.errors import UsageError
from activegraph.cli.exit_codes import EXIT_OK
from activegraph.cli.parameters import Here, argument, option


def pack_new(
    name: Annotated[str, argument("NAME", "What the pack's distribution is to be called, such as my-pack.")],
    /,
    *,
    output_dir: Annotated[str, option("--output-dir", "-o", help="Where to make its directory.")] = ".",
    console: Here,
) -> int:
    """Make the project of a new pack: types, a behavior, settings, a prompt, and tests that pass as they are.

    An existing directory is never touched.
    """
    from activegraph.packs.scaffold import scaffold_pack

    try:
        project = scaffold_pack(output_dir, name)
    except ValueError as error:
        raise UsageError(str(error), "pack new") from error
    console.print(f"created {project}\nnext steps:\n  cd {project}\n  pip install -e .\n  pytest")
    return EXIT_OK
