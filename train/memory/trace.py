"""Follow a training step's memory without allocating it: fake tensors and saved-tensor hooks.

A fake tensor has a shape, strides and a storage of so many bytes, but no bytes. A step on fake
tensors runs the real code of the network and the loss, so nothing has to be modelled by hand.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from avatar_model.attention import CrossAttention, SelfAttention
from avatar_model.blocks import GroupNorm
from avatar_model.network import AvatarNetwork
from avatar_model.unet import UNet

KINDS: dict[type[nn.Module], str] = {
    nn.Conv2d: "convolution",
    nn.GroupNorm: "norm",
    GroupNorm: "norm",
    SelfAttention: "attention",
    CrossAttention: "attention",
}
OTHER_KIND = "SiLU, scale-and-shift"
WEIGHT_COPIES = "bf16 copies of weights"


def set_contiguous(network: AvatarNetwork) -> None:
    """Undo channels_last, which the network asks for when it is made and in front of its stem."""
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.unet.stem.register_forward_pre_hook(lambda _, inputs: inputs[0].contiguous())


def make_fake(network: AvatarNetwork) -> None:
    """Turn a network on the meta device into one of fake CPU tensors; call it in FakeTensorMode."""

    def fake(x: Tensor) -> Tensor:
        return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype)

    for module in network.modules():
        for name, p in module._parameters.items():
            module._parameters[name] = None if p is None else nn.Parameter(fake(p))
        for name, x in module._buffers.items():
            module._buffers[name] = None if x is None else fake(x)


def follow_cuda(network: AvatarNetwork, channels_last: bool) -> None:
    """Let a network on (fake) CPU tensors keep what CUDA's kernels would keep.

    * GroupNorm works on contiguous tensors only, so it copies a channels_last input and keeps the
      copy (aten/src/ATen/native/group_norm.cpp).
    * Under autocast it works on a float32 copy, and what comes out is float32 too; ours does not.
    * A convolution with channels_last weights returns channels_last whatever its input is
      (cudnn_conv_suggest_memory_format in aten/src/ATen/native/ConvUtils.h).
    * Pixels moved into channels or back come out contiguous (math_pixel_shuffle in
      aten/src/ATen/native/PixelShuffle.cpp).
    """

    def norm_input(norm: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        x = inputs[0].contiguous()
        return x if isinstance(norm, GroupNorm) else x.float()

    def shuffled(_: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output.contiguous()

    def conv_output(_: nn.Module, inputs: object, output: Tensor) -> Tensor:
        return output.contiguous(memory_format=torch.channels_last)

    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(norm_input)
        elif isinstance(module, (nn.PixelShuffle, nn.PixelUnshuffle)):
            module.register_forward_hook(shuffled)
        elif isinstance(module, nn.Conv2d) and channels_last:
            module.register_forward_hook(conv_output)


class SavedTensors(ExitStack):
    """Within it, counts what autograd keeps for the backward pass, each storage once.

    A tensor belongs to the place and the kind of layer that keeps it first. What is kept between
    two places (a SiLU in ``UNet.forward``, the input of a checkpointed layer) belongs to the one
    before, so no layer has to be changed for this.

    Args:
        network: whose parameters are not counted.

    Attributes:
        by_place: bytes by part of the network, in the order of the forward pass.
        by_kind: bytes by what the layer does.
    """

    def __init__(self, network: AvatarNetwork) -> None:
        super().__init__()
        self.by_place: Counter[str] = Counter()
        self.by_kind: Counter[str] = Counter()
        self._network = network
        self._known = storages(network)
        self._kept: list[torch.UntypedStorage] = []  # keeps their addresses from being used again
        self._place = "inputs"
        self._modules: list[nn.Module] = []

    def __enter__(self) -> SavedTensors:
        super().__enter__()
        for place, module in places(self._network):
            self._hook(module, before=partial(setattr, self, "_place", place))
        for module in self._network.modules():
            self._hook(
                module,
                before=partial(self._modules.append, module),
                after=self._modules.pop,
            )
        self._hook(self._network, after=partial(setattr, self, "_place", "loss"))
        self.enter_context(torch.autograd.graph.saved_tensors_hooks(self._count, lambda x: x))
        return self

    def _hook(
        self,
        module: nn.Module,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        for handle in (
            module.register_forward_pre_hook(lambda *_: (before(), None)[1]),
            module.register_forward_hook(lambda *_: (after(), None)[1]),
        ):
            self.callback(handle.remove)

    def _count(self, x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage._cdata not in self._known:
            self._known.add(storage._cdata)
            self._kept.append(storage)
            copy = bool(self._modules) and _is_weight_copy(x, self._modules[-1])
            self.by_place[WEIGHT_COPIES if copy else self._place] += storage.nbytes()
            self.by_kind[WEIGHT_COPIES if copy else self._kind()] += storage.nbytes()
        return x

    def _kind(self) -> str:
        """What the innermost layer with a name of its own does."""
        known = (KINDS[type(m)] for m in reversed(self._modules) if type(m) in KINDS)
        return next(known, OTHER_KIND)


@contextmanager
def module_outputs(network: nn.Module) -> Iterator[list[int]]:
    """Within it, the bytes of every output of every module are listed, containers' as well.

    So the blog's author counts activations. What a container hands on from its last layer counts
    twice, and what a function keeps without a module does not count.
    """
    sizes: list[int] = []

    def add(_: nn.Module, inputs: object, output: object) -> None:
        sizes.extend(x.nbytes for x in tree_leaves(output) if isinstance(x, Tensor))

    handles = [module.register_forward_hook(add) for module in network.modules()]
    try:
        yield sizes
    finally:
        for handle in handles:
            handle.remove()


def _is_weight_copy(x: Tensor, module: nn.Module) -> bool:
    """Autocast has made this of the weight of the layer at work."""
    weight = getattr(module, "weight", None)
    return (
        weight is not None and x.dtype != weight.dtype and sorted(x.shape) == sorted(weight.shape)
    )


def places(network: AvatarNetwork) -> Iterable[tuple[str, nn.Module]]:
    """The parts that memory is accounted to, as (name, module); several modules share a name."""
    unet = network.unet
    yield "tau", network.tau
    if not isinstance(unet, UNet):
        yield "unet", unet
        return
    yield "time", unet.time
    yield "stem", unet.stem
    for way, layers, between in (
        ("down", unet.down, unet.downsample),
        ("up", unet.up, unet.upsample),
    ):
        for level, modules in enumerate(layers):
            yield from ((f"{way}{level}", module) for module in modules)
        for level, module in enumerate(between):
            # The convolution belongs to the level at whose resolution it works.
            yield f"{way}{level + 1}", module
    yield "head", unet.norm
    yield "head", unet.head


def storages(network: nn.Module) -> set[int]:
    """The addresses of the storages of all parameters and buffers."""
    return {x.untyped_storage()._cdata for x in (*network.parameters(), *network.buffers())}


class LiveMemory(TorchDispatchMode):
    """Within it, follows how many bytes of tensors are alive.

    Args:
        known: addresses of storages that are counted elsewhere.

    Attributes:
        now, peak: in bytes.
    """

    def __init__(self, known: set[int]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = known
        self._alive: dict[int, weakref.ref] = {}

    def __torch_dispatch__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, Tensor):
                self._see(x.untyped_storage())
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address in self._known or address in self._alive:
            return
        self.now += size
        self.peak = max(self.peak, self.now)
        self._alive[address] = weakref.ref(storage, lambda _: self._gone(address, size))

    def _gone(self, address: int, size: int) -> None:
        del self._alive[address]
        self.now -= size
