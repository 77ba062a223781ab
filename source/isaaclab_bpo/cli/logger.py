# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Whether the service that ``--logger`` names can be used here, found out before the simulator starts."""

from __future__ import annotations

import http.client
import importlib
import os
import secrets
import sys
import urllib.error
import urllib.request
from typing import Any, cast

from .errors import UserError

REMEDIES = {"wandb": "the extra isaaclab_bpo[wandb]", "neptune": "it with pip"}
"""What to install for the services that need a package of the same name."""

PATIENCE = 20.0
"""How long Weights & Biases may take to start, and to upload what is left at the end [s]."""


def prepare_logger(name: Any) -> None:
    """Import the package of a logging service and log in to Weights & Biases.

    Args:
        name: The service, or the configuration of a log writer, which needs nothing.

    Raises:
        UserError: If the package is missing, or there is neither an account nor the offline mode.
    """
    for variable in ("WANDB_INIT_TIMEOUT", "WANDB_FINISH_TIMEOUT"):  # by default it may take minutes, and for ever
        os.environ.setdefault(variable, f"{PATIENCE:.0f}")
    is_service = isinstance(name, str) and name in REMEDIES
    if not is_service or os.environ.get("RANK", "0") != "0":  # with several GPUs, the first rank logs
        return
    try:
        service = importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f"--logger {name} needs the package {name}, which cannot be imported ({error}): install {REMEDIES[name]}"
        ) from None
    if name == "wandb":
        # Isaac Lab 3.0 makes an id with a function that wandb 0.28.2 has dropped, unless it finds one
        os.environ.setdefault("WANDB_RUN_ID", secrets.token_hex(4))
        try:
            service.login()  # asks in a terminal; does nothing offline
        except service.Error as error:
            raise UserError(
                f"--logger wandb cannot log in: {str(error).split('. ')[0]}. Run 'wandb login' once, or set "
                "WANDB_MODE=offline to log into the folder wandb/"
            ) from None
        except ValueError as error:  # pydantic's
            errors = cast(Any, error).errors()
            wrong = [f"WANDB_{it['loc'][0].upper()}={it['input']!r} ({it['msg']})" for it in errors]
            raise UserError(f"--logger wandb cannot read the environment's {', '.join(wrong)}") from None
        settings = service.setup().settings
        service.teardown()  # the run starts a session anew, which reads the environment then
        if settings.mode == "online" and (reason := _unreachable(settings.base_url)):
            os.environ["WANDB_MODE"] = "offline"
            print(
                f"[isaaclab_bpo] {settings.base_url} does not answer ({reason}): the run is logged offline, into the "
                "folder wandb/, and 'wandb sync' uploads it.",
                file=sys.stderr,
            )


def _unreachable(url: str) -> str | None:
    """Return why a server does not answer, None if it does, whatever it says."""
    try:
        urllib.request.urlopen(url, timeout=PATIENCE / 2.0).close()
    except urllib.error.HTTPError as error:
        return str(error) if error.code >= 500 else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return None
