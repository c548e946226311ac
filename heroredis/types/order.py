"""Members in the order of their scores, equal scores in the order of the bytes: the index inside a sorted set.

Blocks of up to MOST neighbours, scores and members side by side, so that finding is two bisections, inserting moves
a few kilobytes, and a range is a slice. How many members stand before a block is told by a Fenwick tree, made when
it is first asked for and dropped when the blocks are divided otherwise.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

MOST: Final = 1024
HALF: Final = MOST // 2
LEAST: Final = 64
"""A smaller block joins its neighbour."""


class Block:
    """Neighbours in order; scores[i] is that of members[i]."""

    def __init__(self, scores: array[float], members: list[bytes]) -> None:
        self.scores = scores
        self.members = members

    def place(self, score: float, member: bytes) -> int:
        """Where it stands or would stand."""
        scores = self.scores
        at = bisect_left(scores, score)
        if at < len(scores) and scores[at] == score:
            end = bisect_right(scores, score, at)
            at = bisect_left(self.members, member, at, end)
        return at

    def last(self) -> float:
        """The greatest score."""
        return self.scores[-1]


class Order:
    """All blocks; there is always one, and none is empty but the only one."""

    def __init__(self) -> None:
        self.size = 0
        self.blocks: list[Block] = [Block(array("d"), [])]
        self._lasts: list[float] = []
        """The greatest score of each block; kept while there are several."""
        self._tree: list[int] = []

    def fill(self, pairs: list[tuple[float, bytes]]) -> None:
        """Hold these, already in order, and nothing else."""
        self.size = len(pairs)
        self.blocks = [
            Block(array("d", [score for score, _ in part]), [member for _, member in part])
            for part in (pairs[at : at + HALF] for at in range(0, max(1, len(pairs)), HALF))
        ]
        self._divided()

    def copy(self) -> Order:
        twin = Order()
        twin.size = self.size
        twin.blocks = [Block(block.scores[:], block.members.copy()) for block in self.blocks]
        twin._divided()
        return twin

    def _divided(self) -> None:
        self._lasts = [block.last() for block in self.blocks] if len(self.blocks) > 1 else []
        self._tree = []

    # Changing

    def insert(self, score: float, member: bytes) -> None:
        """Put in what is not there."""
        self.size += 1
        index = self._block_of(score, member)
        block = self.blocks[index]
        at = block.place(score, member)
        block.scores.insert(at, score)
        block.members.insert(at, member)
        size = len(block.members)
        if self._lasts and at == size - 1:
            self._lasts[index] = score
        if self._tree:
            self._count(index, 1)
        if size > MOST:
            self._split(index)

    def remove(self, score: float, member: bytes) -> None:
        """Take out what is there."""
        index = self._block_of(score, member)
        self._take(index, self.blocks[index].place(score, member))

    def pop_first(self) -> bytes:
        return self._take(0, 0)

    def pop_last(self) -> bytes:
        index = len(self.blocks) - 1
        return self._take(index, len(self.blocks[index].members) - 1)

    def _take(self, index: int, at: int) -> bytes:
        self.size -= 1
        block = self.blocks[index]
        block.scores.pop(at)
        member = block.members.pop(at)
        if not self._lasts:
            return member
        size = len(block.members)
        if size == 0:
            del self.blocks[index]
            self._lasts.pop(index)
            self._tree = []
            if len(self.blocks) == 1:
                self._lasts = []
            return member
        if at == size:
            self._lasts[index] = block.last()
        if self._tree:
            self._count(index, -1)
        if size < LEAST:
            self._join(index)
        return member

    def remove_between(self, start: int, stop: int) -> list[bytes]:
        """Take out the ranks start to stop - 1, which are there."""
        gone: list[bytes] = []
        if start >= stop:
            return gone
        index, at = self._locate(start)
        left = stop - start
        while left > 0:
            block = self.blocks[index]
            part = block.members[at : at + left]
            gone += part
            left -= len(part)
            del block.scores[at : at + len(part)]
            del block.members[at : at + len(part)]
            index += 1
            at = 0
        self.size -= stop - start
        self.blocks = [block for block in self.blocks if block.members] or [Block(array("d"), [])]
        self._divided()
        return gone

    def _split(self, index: int) -> None:
        block = self.blocks[index]
        self.blocks.insert(index + 1, Block(block.scores[HALF:], block.members[HALF:]))
        del block.scores[HALF:]
        del block.members[HALF:]
        if self._lasts:
            self._lasts.insert(index, block.last())
            self._tree = []
        else:
            self._divided()

    def _join(self, index: int) -> None:
        """Put a small block and the one behind or before it together, where that makes no block too big."""
        index = min(index, len(self.blocks) - 2)
        block, following = self.blocks[index], self.blocks[index + 1]
        if len(block.members) + len(following.members) > MOST:
            return
        block.scores.extend(following.scores)
        block.members += following.members
        del self.blocks[index + 1]
        self._lasts.pop(index)
        self._tree = []
        if len(self.blocks) == 1:
            self._lasts = []

    # Finding

    def _block_of(self, score: float, member: bytes) -> int:
        """Where it is or belongs. Equal scores may fill several blocks: then their last members decide."""
        lasts = self._lasts
        if not lasts:
            return 0
        low = bisect_left(lasts, score)
        high = len(lasts) - 1
        if low >= high:
            return high
        if lasts[low] == score:
            high = min(high, bisect_right(lasts, score, low))
            while low < high:
                middle = (low + high) // 2
                if self.blocks[middle].members[-1] < member:
                    low = middle + 1
                else:
                    high = middle
        return low

    def rank(self, score: float, member: bytes) -> int:
        """How many stand before it."""
        index = self._block_of(score, member)
        return self._before(index) + self.blocks[index].place(score, member)

    def below(self, score: float) -> int:
        """How many have a smaller score."""
        index = min(bisect_left(self._lasts, score), len(self.blocks) - 1)
        return self._before(index) + bisect_left(self.blocks[index].scores, score)

    def names_below(self, member: bytes) -> int:
        """How many names are smaller, where all scores are equal."""
        low, high = 0, len(self.blocks) - 1
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].members[-1] < member:
                low = middle + 1
            else:
                high = middle
        return self._before(low) + bisect_left(self.blocks[low].members, member)

    def at(self, rank: int) -> bytes:
        index, at = self._locate(rank)
        return self.blocks[index].members[at]

    def between(self, start: int, stop: int) -> list[bytes]:
        """The members of the ranks start to stop - 1, which are there."""
        if start >= stop:
            return []
        index, at = self._locate(start)
        found = self.blocks[index].members[at : at + stop - start]
        while len(found) < stop - start:
            index += 1
            found += self.blocks[index].members[: stop - start - len(found)]
        return found

    def _locate(self, rank: int) -> tuple[int, int]:
        """The block of a rank, and the place in it."""
        if rank < len(self.blocks[0].members):
            return 0, rank
        tree = self._made_tree()
        index = 0
        step = 1 << (len(tree).bit_length() - 1)
        while step:
            following = index + step
            if following < len(tree) and tree[following] <= rank:
                index = following
                rank -= tree[following]
            step >>= 1
        return index, rank

    def _before(self, index: int) -> int:
        """How many members the blocks before this one have."""
        if index == 0:
            return 0
        tree = self._made_tree()
        total = 0
        while index > 0:
            total += tree[index]
            index &= index - 1
        return total

    def _made_tree(self) -> list[int]:
        tree = self._tree
        if not tree:
            tree = [0]
            tree += [len(block.members) for block in self.blocks]
            for at in range(1, len(tree)):
                parent = at + (at & -at)
                if parent < len(tree):
                    tree[parent] += tree[at]
            self._tree = tree
        return tree

    def _count(self, index: int, change: int) -> None:
        tree = self._tree
        index += 1
        while index < len(tree):
            tree[index] += change
            index += index & -index
