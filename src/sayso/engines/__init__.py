"""Adapters of the gate's engine port: DuckDB, embedded."""
