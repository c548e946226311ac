"""Redis's binary form of a value, as in DUMP and in an RDB file. Knows values, no keys, clients or files."""
