"""The audit log: append-only, gapless, hash-chained."""
