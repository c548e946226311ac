"""`python -m heroredis`: the same as the command `heroredis`."""

from __future__ import annotations

import sys
from pathlib import Path

# The current folder must not stand in for our packages: a user's file may be called jobs.py.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from heroredis.entry import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
