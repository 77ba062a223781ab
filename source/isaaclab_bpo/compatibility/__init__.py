# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Bridges over gaps in the platform, one module per gap, each saying when it can be deleted."""

from __future__ import annotations

from isaaclab_bpo.compatibility.pinned_memory import serve_pinned_memory_without_cuda
from isaaclab_bpo.compatibility.polling_threads import patient_threads

__all__ = ["patient_threads", "serve_pinned_memory_without_cuda"]
