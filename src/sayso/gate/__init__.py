"""Running a plan over a corpus: inputs, an engine, outputs, and the manifest that accounts for all of it."""
