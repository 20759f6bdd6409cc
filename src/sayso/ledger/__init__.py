"""Events, the log they are kept in, and the journal that appends and reads through a store."""
