# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Compares algorithms over seeds and tasks, from what their trainings logged: ``python -m isaaclab_bpo.compare``."""
