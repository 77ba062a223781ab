# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Replay of a function's kernels as one CUDA graph, so that the host launches once instead of hundreds of times."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch
import torch.nn as nn

Outputs = TypeVar("Outputs")


class CudaGraph(Generic[Outputs]):
    """A function on the GPU that runs as usual a few times, is then captured, and from then on replayed.

    Every call has the function's effect exactly once: the first calls are real ones, and a capture only records. The
    function must read and write the same tensors every time, and must not wait for the device. The outputs are
    overwritten by the next call.
    """

    WARM_UP_CALLS = 3
    """Calls before the capture, in which libraries and optimizers allocate what they keep."""

    def __init__(self, function: Callable[..., Outputs], device: torch.device | str, *inputs: torch.Tensor) -> None:
        """Prepare to capture a function.

        Args:
            function: The function, called with ``inputs``.
            device: The GPU on which it works, whichever the current one is.
            *inputs: Tensors of the shape, type and device of the function's arguments; they will hold the arguments.
        """
        self._function = function
        self._inputs = inputs
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._num_calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outputs: Outputs

    def __call__(self, *arguments: torch.Tensor) -> Outputs:
        """Run the function once.

        Args:
            *arguments: The arguments of this call, copied into the inputs.

        Returns:
            The function's outputs.
        """
        for tensor, argument in zip(self._inputs, arguments, strict=True):
            tensor.copy_(argument)
        self._num_calls += 1
        if self._num_calls <= self.WARM_UP_CALLS:
            # Captures take place on a stream of their own, and so must what prepares them
            self._stream.wait_stream(torch.cuda.current_stream(self._device))
            with torch.cuda.stream(self._stream):
                self._outputs = self._function(*self._inputs)
            torch.cuda.current_stream(self._device).wait_stream(self._stream)
            return self._outputs
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            # thread_local: a simulator's threads may allocate memory meanwhile
            capture = torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local")
            with _no_garbage_collection(), capture:
                self._outputs = self._function(*self._inputs)
            self._graph = graph
        self._graph.replay()
        return self._outputs


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Collect garbage now and not before the end: to destroy another graph is forbidden during a capture."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def buffers_in_place(module: nn.Module) -> Iterator[None]:
    """Let a module's buffers keep their memory, which a graph reads, while something assigns new ones.

    Args:
        module: The module; rsl_rl's observation normalizers, for example, assign a new standard deviation.
    """
    before = dict(module.named_buffers())
    yield
    for name, buffer in module.named_buffers():
        if buffer is not before[name]:
            owner, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(owner), attribute, before[name].copy_(buffer))
