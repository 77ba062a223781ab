# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""What the configuration of a runner may hold."""

from isaaclab_bpo.algorithms.options import CheckedConfiguration, ConfigurationError

from .configuration import check_configuration, check_mini_batches, configuration_errors

__all__ = [
    "CheckedConfiguration",
    "ConfigurationError",
    "check_configuration",
    "check_mini_batches",
    "configuration_errors",
]
