"""Choices and how they stand: folding the ledger into what a decision reads."""
