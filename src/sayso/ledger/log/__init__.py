"""The transparency log that a ledger is: Merkle tree, tiles, signed notes, checkpoints and proofs (C2SP, RFC 6962)."""
