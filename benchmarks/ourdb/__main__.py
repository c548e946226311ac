"""`python -m benchmarks.ourdb [--quick]`: this question alone."""

from __future__ import annotations

import argparse

from benchmarks.ourdb.compare import measure, save


def main() -> None:
    parser = argparse.ArgumentParser(description="OurDB beside its peers")
    parser.add_argument("--quick", action="store_true", help="100,000 records, one round")
    print(f"written to {save(measure(quick=parser.parse_args().quick))}")


if __name__ == "__main__":
    main()
