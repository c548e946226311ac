"""Ordinary keys on disk: the append-only files, their manifest, loading and rewriting them."""
