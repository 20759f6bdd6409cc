"""sayso decides which records may be used to train AI. Anything unknown, unreadable or failing denies."""

from __future__ import annotations

__all__: list[str] = []
