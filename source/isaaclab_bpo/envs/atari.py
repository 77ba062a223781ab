# Copyright (c) 2026, The isaaclab_bpo Developers.
# SPDX-License-Identifier: BSD-3-Clause

"""Atari 2600 games of the Arcade Learning Environment, prepared as the field does it; needs the extra "atari"."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from ale_py import Action, AtariVectorEnv
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

FRAME_SKIP = 4
"""Frames for which an action is repeated; a console draws 60 in a second."""

STACK = 4
"""How many of the latest frames are observed, one for each step."""

SIZE = 84
"""Height and width of an observed frame [pixels]."""

SCREEN = (210, 160)
"""Height and width of the console's screen [pixels]."""

ENLARGEMENT = (3, 5)
"""By how much a screen is enlarged for people: its pixels are wider than high, and fill a screen of 4 : 3."""


class Console:
    """One copy of a game. If it is drawn, it runs once more in colour: the same seed and actions make the same game."""

    screen: np.ndarray
    """What is drawn, shape (210, 160, 3)."""

    def __init__(self, game: str, is_drawn: bool, **kwargs: Any) -> None:
        """Load the game.

        Args:
            game: Name of the game's ROM.
            is_drawn: Whether :attr:`screen` is kept up to date.
            **kwargs: Arguments of ``AtariVectorEnv``.
        """
        kwargs |= {
            "frameskip": FRAME_SKIP,
            "stack_num": 1,
            "num_threads": 1,
            "reward_clipping": False,
            "use_fire_reset": False,  # which presses it for one frame, and not after a lost life
            "autoreset_mode": AutoresetMode.SAME_STEP,
        }
        self._game = AtariVectorEnv(game, 1, img_height=SIZE, img_width=SIZE, **kwargs)
        height, width = SCREEN
        coloured = {"grayscale": False, "img_height": height, "img_width": width}
        self._drawn = AtariVectorEnv(game, 1, **coloured, **kwargs) if is_drawn else None
        self.action_space = self._game.single_action_space
        self.has_fire = Action.FIRE in self._game.ale.get_action_set()

    def reset(self, seed: int) -> tuple:
        """Start the game, and return its frame and infos."""
        seed %= 2**31  # the emulator's range
        if self._drawn:
            self.screen = self._drawn.reset(seed=seed)[0][0, 0]
        obs, infos = self._game.reset(seed=seed)
        return obs[0, 0], infos

    def begin(self, action: int) -> None:
        """Start to play the next frames with an action, in a thread."""
        if self._drawn:
            self.screen = self._drawn.step(np.array([action]))[0][0, 0]
        self._game.send(np.array([action]))

    def end(self) -> tuple[np.ndarray, int, bool, bool, dict[str, Any]]:
        """Wait for these frames, and return the last one, reward, whether the game is over, or cut off, and infos."""
        obs, (reward,), (over,), (cut_off,), infos = self._game.recv()
        return obs[0, 0], int(reward), bool(over), bool(cut_off), infos


class AtariGames(VectorEnv):
    """Several copies of a game, with the frames, lives and rewards that agents learn from.

    An observation is the last four of the frames, in grey and 84 x 84 pixels, after every fourth frame of the console;
    two successive ones are merged, as games draw some sprites in every other one only. Frames before an episode are
    black. A game starts after up to 29 frames without action.

    What Stable-Baselines3's ``AtariWrapper`` does, this does, too:

    * A lost life ends an episode, and play goes on. The agent does not act in what follows: a step of no action, and
      those that start a life.
    * A game that knows FIRE waits for it, after a reset and after a lost life. So FIRE is played, and the action after.
    * Rewards are the signs of the game's. The game's own are in ``infos["raw_rewards"]``, and ``infos["games_over"]``
      tells in which steps a whole game ended.

    Each copy is an ``AtariVectorEnv`` of its own, since its copies cannot be stepped alone, and after a lost life one
    must be.
    """

    frames_per_step = FRAME_SKIP

    def __init__(
        self,
        game: str,
        num_envs: int,
        *,
        end_at_life_loss: bool = True,
        repeat_action_probability: float = 0.0,
        noop_max: int = 30,
        num_threads: int | None = None,
        render_mode: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Load the game.

        Args:
            game: Name of the game's ROM, for example ``"ms_pacman"``.
            num_envs: Number of copies.
            end_at_life_loss: Whether a lost life ends an episode.
            repeat_action_probability: With which probability a frame repeats the last action, whatever the agent does.
            noop_max: A game starts after fewer frames without action than these.
            num_threads: How many copies are stepped at a time; None for as many as there are cores.
            render_mode: "rgb_array" for the screen of the first copy; None for none.
            **kwargs: Further arguments of ``AtariVectorEnv``, for example ``max_num_frames_per_episode``.

        Raises:
            ValueError: If the render mode is another one, or there is no thread.
        """
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode={render_mode!r} is not valid: Atari's games have rgb_array, or null.")
        if num_threads is not None and num_threads < 1:
            raise ValueError(f"num_threads={num_threads} is not valid: it must be at least 1, or null.")
        kwargs |= {"repeat_action_probability": repeat_action_probability, "noop_max": noop_max}
        self._consoles = [Console(game, bool(render_mode) and i == 0, **kwargs) for i in range(num_envs)]
        self._end_at_life_loss = end_at_life_loss
        self._actions_at_start = (1, 2) if self._consoles[0].has_fire else ()
        self._num_threads = min(num_envs, num_threads or len(os.sched_getaffinity(0)))
        self._frames = np.zeros((num_envs, STACK, SIZE, SIZE), np.uint8)
        self._lives = np.zeros(num_envs, int)
        self._early_rewards = np.zeros(num_envs)  # of what is played before the agent's next action

        self.num_envs = num_envs
        self.render_mode = render_mode
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_fps": 60 // FRAME_SKIP}
        self.single_observation_space = Box(0, 255, self._frames.shape[1:], np.uint8)
        self.single_action_space = self._consoles[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all copies anew.

        Args:
            seed: Seed of the first copy, the others have the next ones.
            options: None; there are no options.

        Returns:
            The observations, shape (num_envs, 4, 84, 84), and no infos.
        """
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31))  # what is drawn needs the same
        self._frames[:] = 0
        self._early_rewards[:] = 0.0
        for i, console in enumerate(self._consoles):
            self._frames[i, -1], infos = console.reset(seed + i)
            self._lives[i] = infos["lives"][0]
            self._start(i, self._actions_at_start)
        return self._frames.copy(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Act in all copies.

        Args:
            actions: Actions, shape (num_envs,), of 64-bit integers.

        Returns:
            Observations, of the next episode where one ended, shape (num_envs, 4, 84, 84); clipped rewards, whether
            a life or a game ended, and whether a game was cut off, shape (num_envs,); infos with "raw_rewards",
            "games_over" and, if an episode ended, "final_obs", the observations at the end.
        """
        raw_rewards, rewards = self._early_rewards.copy(), np.zeros(self.num_envs)
        self._early_rewards[:] = 0.0
        terminated, truncated, games_over = np.zeros((3, self.num_envs), bool)
        final_obs = np.full(self.num_envs, None, object)
        self._frames[:, :-1] = self._frames[:, 1:]
        for i, (frame, reward, over, cut_off, infos) in enumerate(self._play(actions)):
            lives = infos["lives"][0]  # of the next game, if one is over
            games_over[i], truncated[i] = over or cut_off, cut_off
            life_lost = self._end_at_life_loss and not games_over[i] and 0 < lives < self._lives[i]
            terminated[i] = over or life_lost
            rewards[i] = np.sign(reward)
            raw_rewards[i] += reward
            self._lives[i] = lives
            self._frames[i, -1] = infos["final_obs"][0, 0] if games_over[i] else frame
            if life_lost or games_over[i]:
                final_obs[i] = self._frames[i].copy()
                self._frames[i] = 0
                self._frames[i, -1] = frame
                if self._start(i, (0, *self._actions_at_start) if life_lost else self._actions_at_start):
                    games_over[i] = True
                    raw_rewards[i] += self._early_rewards[i]
                    self._early_rewards[i] = 0.0
        infos = {"raw_rewards": raw_rewards, "games_over": games_over, "final_obs": final_obs}
        return self._frames.copy(), rewards, terminated, truncated, infos

    def render(self) -> tuple[np.ndarray, ...] | None:
        """Return the screen of the first copy, in colour and enlarged, shape (630, 800, 3); None if it is not drawn."""
        if self.render_mode is None:
            return None
        rows, columns = ENLARGEMENT
        return (self._consoles[0].screen.repeat(rows, 0).repeat(columns, 1),)

    def _play(self, actions: np.ndarray) -> Iterator[tuple]:
        """Act in each copy, several at a time, and yield in turn what comes of it."""
        waiting = iter(zip(self._consoles, actions, strict=True))
        for console, action in islice(waiting, self._num_threads):
            console.begin(action)
        for console in self._consoles:
            yield console.end()
            for following, action in islice(waiting, 1):
                following.begin(action)

    def _start(self, i: int, actions: tuple[int, ...]) -> bool:
        """Play in copy ``i`` what starts a life, and return whether the game ended meanwhile."""
        has_ended = False
        for action in actions:
            self._consoles[i].begin(action)
            self._frames[i, -1], reward, over, cut_off, infos = self._consoles[i].end()
            self._lives[i] = infos["lives"][0]
            self._early_rewards[i] += reward
            has_ended |= over or cut_off
        return has_ended


def make_atari(spec: EnvSpec, num_envs: int, num_threads: int | None = None, **kwargs: Any) -> AtariGames:
    """Make the games of an id that ale-py registers with Gymnasium.

    * ``PongNoFrameskip-v4`` is the protocol of the paper: a lost life ends an episode, and no action is repeated.
    * ``ALE/Pong-v5`` is that of Machado et al. (2018): an episode is a whole game, and a frame repeats the last action
      with probability 1/4.

    Args:
        spec: The registration.
        num_envs: Number of copies.
        num_threads: How many of them are stepped at a time; None for as many as there are cores.
        **kwargs: Further arguments of :class:`AtariGames`.

    Raises:
        ValueError: If the registration is of an older protocol, which skips a random number of frames.
    """
    game = dict(spec.kwargs)
    frame_skip = game.pop("frameskip")
    if frame_skip not in (1, FRAME_SKIP):
        raise ValueError(
            f"{spec.id} skips {frame_skip} frames at random: use {spec.name}NoFrameskip-v4 or ALE/{spec.name}-v5."
        )
    return AtariGames(**game, num_envs=num_envs, num_threads=num_threads, end_at_life_loss=frame_skip == 1, **kwargs)
