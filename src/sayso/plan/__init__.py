"""Standing and gate as relational expressions: a policy and a use over events, snapshot and corpus."""
