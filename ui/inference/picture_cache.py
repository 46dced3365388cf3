"""What was generated lately, so that it need not be generated again."""

from __future__ import annotations

from collections import OrderedDict

from ui.inference.batch_runner import GeneratedImage, ImageRequest

MAX_BYTES = 64 * 2**20
"""Of pictures: 4096 avatars of 64 pixels, 256 of 256."""


class PictureCache:
    """Pictures, as many as fit into so much memory; those not asked for the longest go first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._images: OrderedDict[ImageRequest, GeneratedImage] = OrderedDict()

    def __contains__(self, request: ImageRequest) -> bool:
        return request in self._images

    def __len__(self) -> int:
        return len(self._images)

    def get(self, request: ImageRequest) -> GeneratedImage | None:
        """The picture, which now counts as asked for; None if it is not there."""
        if request in self._images:
            self._images.move_to_end(request)
        return self._images.get(request)

    def put(self, request: ImageRequest, image: GeneratedImage) -> None:
        """One more; others make room for it."""
        if (before := self._images.pop(request, None)) is not None:
            self.num_bytes -= before.num_bytes
        self._images[request] = image
        self.num_bytes += image.num_bytes
        while self.num_bytes > self.max_bytes:
            _, oldest = self._images.popitem(last=False)
            self.num_bytes -= oldest.num_bytes
