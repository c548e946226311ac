"""The databases: keys, values, expiry. Knows no client and no disk."""
