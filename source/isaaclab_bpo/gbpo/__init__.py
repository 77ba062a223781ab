# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Group-relative BPO for language models, with the trainers that people have.

:mod:`.trl` has a trainer for TRL, :mod:`.verl` a loss and an advantage estimator for verl, and :mod:`.ttrl` the rewards
of test-time reinforcement learning. None is imported here, since each needs packages of its own.
"""
