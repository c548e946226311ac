"""The same random commands on both servers, and ours is emptied and loads its append-only files now and then: nobody
may notice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heroredis.parameters import Parameters
from heroredis.persistence.files import open_folder
from tests.differential.compare import Pair, compare_dumps
from tests.differential.grammar import Command
from tests.differential.harness import OurServer, RealServer
from tests.differential.test_groups import EXAMPLES, GROUPS, apart, empty, ordinary

OTHERS = frozenset({"scans", "connection", "debug", "errors"})
"""Groups that have nothing to keep, or that watch keys, which a load touches."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OurServer]:
    folder = tmp_path_factory.mktemp("kept")
    server = OurServer(folder, Parameters(appendonly=b"yes"))
    server.server.persistence.use(open_folder(folder / "appendonlydir"), open_folder(folder))
    server.start()
    yield server
    server.stop()


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in OTHERS])
def test_nobody_notices_a_restart(real_server: RealServer, kept: OurServer, group: str) -> None:
    addresses = real_server.path, kept.path
    steps = st.lists(st.one_of(GROUPS[group], GROUPS[group], GROUPS[group], st.none()), min_size=8, max_size=40)

    @settings(ordinary, max_examples=max(1, EXAMPLES // 5))
    @given(steps=steps)
    def agree(steps: list[Command | None]) -> None:
        empty(addresses)
        pair = Pair(*addresses, 2)
        try:
            for number, command in enumerate([*steps, None]):
                if command is None:
                    kept.run(kept.server.keeper.load_append_only)
                else:
                    pair.step(apart(command, number))
            compare_dumps(pair)
        finally:
            pair.close()

    agree()
