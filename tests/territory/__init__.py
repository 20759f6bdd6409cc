"""The territory room: its table, its groups at an instant, its sets."""
