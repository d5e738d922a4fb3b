"""Chains: sampled by nutpie, two at a time, each kept as soon as it is done."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellpk.errors import FitError

Array = NDArray[Any]
Progress = Callable[[int, int, str], Any]
Chain = Mapping[str, Array]
"""Draws and statistics of one chain by name; the first axis is the draw."""

STATISTICS = ("diverging", "energy", "n_steps", "step_size", "logp", "depth")
"""What is kept of the sampler beside the draws."""

ACCEPT = (0.8, 0.95, 0.99)
"""Shares of accepted proposals that are tried one after the other."""

FEW, SOME = 12, 40
"""Patients up to whom these begin with the third, and with the second: what few
patients leave open is narrow in places, and steps cost little."""

_PAUSE = 0.1
_QUESTION = "question.json"


@dataclass(frozen=True)
class Sampling:
    """How long is sampled.

    Parameters
    ----------
    chains : int
        Independent chains.
    draws, tune : int
        Draws that each keeps, and those before them that tune the sampler.
    accept : float, optional
        Share of the proposals that is to be accepted: more takes smaller steps, and is
        slower and surer. Where it is not given, few patients have more (a rule), and
        all chains are sampled anew with the next of :data:`ACCEPT` as long as a draw
        diverges.
    cores : int
        Chains at a time.
    keep : str, optional
        A folder to which each chain is written as soon as it is done. The same fit
        takes up what is there, and samples the rest.

    Raises
    ------
    FitError
        Where a number is not possible, or ``keep`` is a file.

    Examples
    --------
    >>> Sampling(chains=2).draws
    1000
    """

    chains: int = 4
    draws: int = 1000
    tune: int = 500
    accept: float | None = None
    cores: int = 2
    keep: str | None = None

    def __post_init__(self) -> None:
        least = {"chains": 1, "draws": 20, "tune": 50, "cores": 1}
        for name, number in least.items():
            given = getattr(self, name)
            if not isinstance(given, int | np.integer) or given < number:
                todo = f"Use a whole number from {number} on."
                raise FitError(f"{name} = {given!r}", todo=todo)
        if self.accept is not None and not 0.5 <= self.accept < 1:
            todo = "Use 0.5 to 0.99."
            raise FitError(f"accept = {self.accept}", todo=todo)
        if self.keep is not None and Path(self.keep).is_file():
            todo = "Give another name: chains are kept in a folder of their own."
            raise FitError("it is a file", where=self.keep, todo=todo)


def sampling_of(given: Sampling | None) -> Sampling:
    """Return how long is sampled; the usual length where nothing is given.

    Raises
    ------
    FitError
        Where something else is given.

    Examples
    --------
    >>> sampling_of(500)
    Traceback (most recent call last):
        ...
    cellpk.errors.FitError: sampling = 500. Give, say, cellpk.Sampling(draws=500).
    """
    if given is None:
        return Sampling()
    if not isinstance(given, Sampling):
        todo = "Give, say, cellpk.Sampling(draws=500)."
        raise FitError(f"sampling = {given!r}", todo=todo)
    return given


def attempts(sampling: Sampling, patients: int) -> tuple[float, ...]:
    """Return the shares of accepted proposals that are tried one after the other.

    Parameters
    ----------
    sampling : Sampling
        What is asked for.
    patients : int
        How many there are.

    Examples
    --------
    >>> attempts(Sampling(), 90), attempts(Sampling(), 9)
    ((0.8, 0.95, 0.99), (0.99,))
    >>> attempts(Sampling(accept=0.9), 9)
    (0.9,)
    """
    if sampling.accept is not None:
        return (sampling.accept,)
    return ACCEPT[(patients <= SOME) + (patients <= FEW) :]


def sample_chains(
    compiled: Any,
    sampling: Sampling,
    *,
    seed: int,
    question: str,
    finish: Callable[[Chain], Chain],
    progress: Progress | None = None,
) -> list[Chain]:
    """Return all chains, those that were kept among them.

    Parameters
    ----------
    compiled : nutpie.CompiledModel
        What is sampled.
    sampling : Sampling
        How long, with a share of accepted proposals.
    seed : int
        Chance; each chain has its own under it.
    question : str
        Hash of what is fitted: a folder holds the chains of one fit only.
    finish : callable
        Makes of raw draws what is kept.
    progress : callable, optional
        Called as ``progress(done, total, text)``.

    Raises
    ------
    FitError
        Where the folder holds chains of another fit.

    Examples
    --------
    >>> callable(sample_chains)
    True
    """
    folder = _folder(sampling, question)
    where = {k: _path(folder, sampling, k) for k in range(sampling.chains)}
    chains = {k: kept for k, path in where.items() if (kept := _kept(path))}
    waiting = [k for k in range(sampling.chains) if k not in chains]
    running: dict[int, _Run] = {}
    total = sampling.chains * (sampling.draws + sampling.tune)
    each = sampling.draws + sampling.tune
    try:
        while waiting or running:
            while waiting and len(running) < sampling.cores:
                k = waiting.pop(0)
                running[k] = _Run(compiled, sampling, seed=_seed(seed, k))
            for k in [k for k, run in running.items() if run.done]:
                chains[k] = finish(running.pop(k).chain())
                _keep(where[k], chains[k])
            if progress is not None:
                done = len(chains) * each + sum(x.drawn for x in running.values())
                apart = sum(x.diverging for x in running.values())
                progress(min(done, total - 1), total, _said(chains, sampling, apart))
            time.sleep(_PAUSE)
    finally:
        for run in running.values():
            run.stop()
    if progress is not None:
        progress(total, total, _said(chains, sampling, 0))
    return [chains[k] for k in range(sampling.chains)]


def _said(chains: Mapping[int, Chain], sampling: Sampling, apart: int) -> str:
    own = sum(int(chain["diverging"].sum()) for chain in chains.values())
    text = f"sampling: {len(chains)} of {sampling.chains} chains done"
    return text + f", {own + apart} divergences" * (own + apart > 0)


def _seed(seed: int, chain: int) -> int:
    return int(np.random.SeedSequence([seed, chain]).generate_state(1)[0])


class _Run:
    """One chain, sampled in the background."""

    def __init__(self, compiled: Any, sampling: Sampling, *, seed: int) -> None:
        import nutpie

        self.drawn = self.diverging = 0
        self._sampler: Any = nutpie.sample(
            compiled,
            draws=sampling.draws,
            tune=sampling.tune,
            chains=1,
            cores=1,
            seed=seed,
            target_accept=sampling.accept,
            save_warmup=False,
            progress_bar=False,
            progress_callback=self._told,
            blocking=False,
        )

    def _told(self, chains: list[Any]) -> None:
        self.drawn = chains[0].finished_draws
        self.diverging = chains[0].divergences

    @property
    def done(self) -> bool:
        try:
            return self._sampler.is_finished
        except TimeoutError:  # it is busy, and says so in this way
            return False

    def chain(self) -> Chain:
        """Return draws and statistics, once it is done."""
        found = self._sampler.wait()
        draws = {name: x.values[0] for name, x in found["posterior"].data_vars.items()}
        stats = found["sample_stats"].data_vars
        return draws | {n: stats[n].values[0] for n in STATISTICS if n in stats}

    def stop(self) -> None:
        self._sampler.cancel()


def _folder(sampling: Sampling, question: str) -> Path | None:
    """Return where chains are kept, once they are chains of this fit."""
    if sampling.keep is None:
        return None
    folder = Path(sampling.keep)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _QUESTION
    if path.exists() and json.loads(path.read_text("utf-8"))["sha256"] != question:
        raise FitError(
            "it holds chains of another fit: other samples, model, priors or seed",
            where=str(folder),
            todo="Give another folder, or empty this one.",
        )
    path.write_text(json.dumps({"sha256": question}), "utf-8")
    return folder


def _path(folder: Path | None, sampling: Sampling, k: int) -> Path | None:
    return None if folder is None else folder / f"chain-{sampling.accept:g}-{k}.npz"


def _kept(path: Path | None) -> Chain | None:
    if path is None or not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def _keep(path: Path | None, chain: Chain) -> None:
    """Write a chain: whole or not at all."""
    if path is None:
        return
    part = path.with_suffix(".part.npz")
    np.savez(part, **chain)  # pyright: ignore[reportArgumentType]
    part.replace(path)
