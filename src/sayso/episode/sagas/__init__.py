"""The episodes that are shipped: which there are, and where."""

from pathlib import Path

SAGAS = {name: Path(__file__).parent / f"{name}.episode.yaml" for name in ("linkedin", "meta")}
"""The path of each shipped episode, by name."""
