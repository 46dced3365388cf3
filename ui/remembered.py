"""What was drawn lately, so that it need not be drawn again."""

from __future__ import annotations

from collections import OrderedDict

from .batch import Drawn, Wanted

REMEMBERED_BYTES = 64 * 2**20
"""Of pictures: 4096 avatars of 64 pixels, 256 of 256."""


class Remembered:
    """Pictures, as many as fit into so much memory; those not asked for the longest go first."""

    def __init__(self, most_bytes: int = REMEMBERED_BYTES) -> None:
        self.most_bytes = most_bytes
        self.num_bytes = 0
        self._drawn: OrderedDict[Wanted, Drawn] = OrderedDict()

    def __contains__(self, wanted: Wanted) -> bool:
        return wanted in self._drawn

    def __len__(self) -> int:
        return len(self._drawn)

    def get(self, wanted: Wanted) -> Drawn | None:
        """The picture, which now counts as asked for; None if it is not there."""
        if wanted in self._drawn:
            self._drawn.move_to_end(wanted)
        return self._drawn.get(wanted)

    def put(self, wanted: Wanted, drawn: Drawn) -> None:
        """One more; others make room for it."""
        if (before := self._drawn.pop(wanted, None)) is not None:
            self.num_bytes -= before.num_bytes
        self._drawn[wanted] = drawn
        self.num_bytes += drawn.num_bytes
        while self.num_bytes > self.most_bytes:
            _, oldest = self._drawn.popitem(last=False)
            self.num_bytes -= oldest.num_bytes
