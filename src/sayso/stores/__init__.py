"""Where a ledger is kept: adapters of `sayso.ledger.store.Store`."""
