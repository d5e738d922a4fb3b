"""A hierarchical fit as members of a file."""

from dataclasses import asdict
from typing import Any

from cellpk.fit.archive import Members
from cellpk.fit.bayes.kept import tree_from, tree_members
from cellpk.fit.bayes.prior_choice import Priors
from cellpk.fit.bayes.prior_numbers import Numbers, PriorNumbers
from cellpk.fit.bayes.question import question_of
from cellpk.fit.bayes.result import BayesFit
from cellpk.fit.bayes.sampling import Sampling
from cellpk.fit.contents import (
    array_bytes,
    array_of,
    frame_bytes,
    frame_of,
    json_bytes,
    json_of,
    model_members,
    model_of,
    study_members,
    study_of,
    under,
    within,
)
from cellpk.fit.store import Kind, register
from cellpk.fit.stored.population import check_the_same


def members(fit: BayesFit) -> Members:
    """Return the members of a hierarchical fit's file.

    ``fit.json`` holds arguments, the choice of priors, sampling and seed; ``draws`` all
    groups of the ArviZ data; ``priors`` their numbers and table. ``table.csv`` is for
    people, and is not read.
    """
    said = {
        "asked": fit.asked,
        "choice": asdict(fit.choice),
        "sampling": asdict(fit.sampling) | {"keep": None},
        "seed": fit.seed,
        "units": fit.units,
        "patients": fit.patients,
        "coefficients": fit.structure.coefficients,
        "draws_sha256": fit.draws_sha256,
    }
    numbers = fit.priors.numbers._asdict()
    return {
        "fit.json": json_bytes(said),
        "table.csv": fit.table.to_csv(index=False, lineterminator="\n").encode(),
        "priors/table.parquet": frame_bytes(fit.priors.table),
        **{f"priors/{name}.npy": array_bytes(x) for name, x in numbers.items()},
        **under("draws", tree_members(fit.tree)),
        **under("model", model_members(fit.given)),
        **under("study", study_members(fit.study)),
    }


def restored(members: Members) -> BayesFit:
    """Return the fit of :func:`members`: nothing is sampled, and no prior made, anew.

    Raises
    ------
    FitError
        Where this cellpk takes other patients or estimates from study and arguments
        than the one that fitted.
    """
    said = json_of(members["fit.json"])
    given = model_of(within(members, "model"))
    study = study_of(within(members, "study"))
    choice = Priors(**said["choice"])
    question = question_of(given, study, asked=said["asked"], choice=choice)
    check_the_same(question.sampled, said)
    return BayesFit(
        given=given,
        study=study,
        shape=question.shape,
        asked=said["asked"],
        choice=choice,
        priors=PriorNumbers(
            _numbers(within(members, "priors")),
            frame_of(members["priors/table.parquet"]),
        ),
        sampling=Sampling(**said["sampling"]),
        seed=said["seed"],
        units=said["units"],
        tree=tree_from(within(members, "draws")),
    )


def _numbers(members: Members) -> Numbers:
    """Return the numbers of the priors; what was one number is one again."""
    found: dict[str, Any] = {}
    for name in Numbers._fields:
        found[name] = array_of(members[f"{name}.npy"])
    found["correlation"] = found["correlation"].item()
    found["never"] = tuple(found["never"].tolist())
    return Numbers(**found)


register(Kind("bayes", BayesFit, members, restored))
