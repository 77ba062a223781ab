# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Every option of BPO, stated once: name, type, default, rule and meaning.

Isaac Lab's configclass, the checks, the documentation of :class:`BpoOptions` and a table in docs/ follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rsl_rl.algorithms import PPO
from rsl_rl.utils import resolve_callable, resolve_optimizer

from isaaclab_bpo import brrl
from isaaclab_bpo.rules import BOOLEAN, Rule, errors_of, integer, known_to, number, one_of, optional, unknown_names


def _option(default: Any, rule: Rule, meaning: str) -> Any:
    return field(default=default, metadata={"rule": rule, "meaning": meaning})


_POSITIVE = number(0.0, open_low=True)
_EPSILON, _LOWER, _UPPER = number(0.0, 1.0, open_low=True), number(0.0, 1.0, open_high=True), number(1.0, open_low=True)
_VARIANTS = ", ".join(name for name in brrl.DIVERGENCES if name != "atv")


@dataclass
class PpoOptions:
    """The options of the paper's runs that rsl_rl's PPO lacks."""

    # fmt: off
    adam_eps: float | None = _option(None, optional(_POSITIVE), "the optimizer's ε; none is torch's")
    reshuffle: bool = _option(False, BOOLEAN,
        "shuffle the samples anew in every epoch, or else once per rollout; networks with memory have no shuffle")
    joint_grad_clipping: bool = _option(False, BOOLEAN,
        "max_grad_norm bounds the gradients of all networks together, as in the authors' code, or else those of each")
    # fmt: on


@dataclass
class BpoOptions(PpoOptions):
    """The options of BPO beside those of rsl_rl's PPO."""

    # fmt: off
    clip_param: float | None = _option(0.2, optional(_EPSILON), "ε; the ratio bounds are [1-ε, 1+ε]")
    ratio_lower: float | None = _option(None, optional(_LOWER),
        "lower ratio bound, with ratio_upper and clip_param=null; μ is then their normaliser, no median")
    ratio_upper: float | None = _option(None, optional(_UPPER), "upper ratio bound")
    temperature: float = _option(0.01, _POSITIVE, "λ, softness of ρ*, in units of return")
    median: str = _option("critic", one_of("critic", "batch", "value"),
        "estimator of μ: critic, a network of its own; batch, V plus the rollout's median advantage; value, V")
    median_head: str = _option("separate", one_of("separate", "shared", "mlp"),
        "the median critic is a network of its own; or on the critic's hidden layers: shared, a second output layer, "
        "or mlp, as many layers as the critic has")
    loss: str = _option("atv", one_of(*brrl.DIVERGENCES),
        f"divergence from the optimum: atv, the paper's, or a variant ({_VARIANTS})")
    online_advantage: bool = _option(True, BOOLEAN,
        "weight |Q-V| with the current V, or else the rollout's normalized advantages")
    refresh_targets: bool = _option(True, BOOLEAN,
        "compute V, returns and advantages anew at the start of every epoch after the first")
    median_temperature: float | None = _option(None, optional(_POSITIVE),
        "smoothing T of the median critic's loss, in units of return; none is the paper's 1 with clip_param, else λ")
    median_loss_coef: float = _option(1.0, number(0.0), "coefficient of the median critic's loss")
    accelerate: bool = _option(True, BOOLEAN, "take the faster path, the same up to rounding, where the run allows it")
    desired_kl: float | None = _option(None, optional(_POSITIVE),
        "KL divergence that the adaptive schedule aims at; none is 0.01, or ε²/8 if that is less")
    max_consecutive_skips: int = _option(100, integer(1),
        "stop when as many mini-batches in a row were unusable (NaN, infinities)")
    use_clipped_value_loss: bool = _option(False, BOOLEAN, "clip the value loss as PPO does")
    # fmt: on


OPTION_RULES: dict[str, Rule] = {option.name: option.metadata["rule"] for option in fields(BpoOptions)}
"""The rule of each option of BPO."""

BpoOptions.__doc__ = f"{BpoOptions.__doc__}\n\nArgs:\n" + "\n".join(
    f"    {option.name}: {option.metadata['meaning']} (default {option.default})." for option in fields(BpoOptions)
)

PPO_RULES: dict[str, Rule] = {
    "num_learning_epochs": integer(1),
    "num_mini_batches": integer(1),
    "learning_rate": number(0.0, open_low=True),
    "schedule": one_of("adaptive", "fixed"),
    "gamma": number(0.0, 1.0),
    "lam": number(0.0, 1.0),
    "entropy_coef": number(0.0),
    "value_loss_coef": number(0.0),
    "max_grad_norm": number(0.0, open_low=True),
    "optimizer": known_to(resolve_optimizer),
    "normalize_advantage_per_mini_batch": BOOLEAN,
    "use_mixed_precision": BOOLEAN,
    "share_cnn_encoders": BOOLEAN,
}
"""The rules of rsl_rl's PPO, which BPO inherits."""


class ConfigurationError(ValueError):
    """A configuration is invalid; the message names all errors."""


class CheckedConfiguration(dict):
    """A runner configuration that has been checked, so that nobody checks it again."""


def option_errors(settings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each error in the settings of BPO or PPO, with the field, the value and the valid choices.

    Args:
        settings: The algorithm's part of a runner configuration. What has no rule is valid if the algorithm takes it.
    """
    errors = _unknown_options(settings) + errors_of(settings, OPTION_RULES | PPO_RULES)
    values = {option.name: settings.get(option.name, option.default) for option in fields(BpoOptions)}
    if values["adam_eps"] is not None and str(settings.get("optimizer")).lower() == "sgd":
        errors.append(f"adam_eps={values['adam_eps']!r} has no meaning for optimizer='sgd': leave it out.")
    bounds = {name: values[name] for name in ("clip_param", "ratio_lower", "ratio_upper")}
    if errors_of(bounds, OPTION_RULES):
        return errors
    epsilon, lower, upper = bounds.values()
    if epsilon is not None and (lower is not None or upper is not None):
        errors.append(
            f"clip_param={epsilon} and ratio_lower={lower}, ratio_upper={upper} set the ratio bounds in two ways: set "
            "clip_param=null to use ratio_lower and ratio_upper, or leave these two out."
        )
    elif epsilon is None and (lower is None or upper is None):
        errors.append(
            f"clip_param=None needs ratio_lower and ratio_upper, but they are {lower} and {upper}: set both, or "
            "set clip_param."
        )
    elif values["loss"] == "log_tv" and (lower if epsilon is None else 1.0 - epsilon) == 0.0:
        errors.append("loss='log_tv' needs a lower ratio bound above 0, because it takes its logarithm.")
    if values["use_clipped_value_loss"] is True and epsilon is None:
        errors.append("use_clipped_value_loss=True needs clip_param, which is also the range of the clipped value.")
    return errors


def _unknown_options(settings: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each setting that the algorithm does not take, if it is known which class that is."""
    try:
        algorithm: Any = resolve_callable(settings["class_name"])
        module = algorithm.construct_algorithm.__module__
    except (LookupError, TypeError, ValueError, ImportError, AttributeError):  # which another rule tells
        return []
    if not issubclass(algorithm, PPO) or not module.startswith(("rsl_rl.", "isaaclab_bpo.")):  # it may take others
        return []
    ours = OPTION_RULES if module.startswith("isaaclab_bpo.") else ()
    return unknown_names(settings, algorithm, ("class_name", "share_cnn_encoders", *ours), bpo=OPTION_RULES)


def check_options(settings: Mapping[str, Any]) -> None:
    """Raise a :class:`ConfigurationError` that names all of :func:`option_errors`, if there are any."""
    if errors := option_errors(settings):
        raise ConfigurationError(" ".join(errors))
