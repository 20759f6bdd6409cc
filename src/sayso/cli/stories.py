"""`sayso demo`: a platform made up, and a saga told with it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from sayso.cli.context import Run


def demo(
    folder: Path = Path("sayso-demo"),
    /,
    *,
    members: int = 40_000,
    records: int = 400_000,
    seed: int = 20240918,
    context: Run,
) -> None:
    """Make up a platform, gate what its people wrote at six dates of a real saga, and tell why.

    Then one member objects, an operator suspends a territory, and the next gate shows both. It leaves its files in a
    folder, with commands to try. For example:

    ```
    sayso demo
    sayso demo /tmp/small --members 2000 --records 20000
    ```

    Parameters
    ----------
    folder
        Where to leave the files; made anew if an earlier demo made it.
    members
        How many members the platform has.
    records
        How many records they wrote.
    seed
        Another number makes up another platform.
    """
    from sayso.demo.story import Size, tell

    told = Console(file=io.StringIO()) if context.json else Console(file=context.out.file)
    tell(folder, told, Size(members=members, records=records, seed=seed))
    if context.json:
        context.emit({"folder": str(folder), "ledger": str(folder / "sayso.ledger")})
