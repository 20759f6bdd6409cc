"""Adapters to where bytes are that are not on this machine."""
