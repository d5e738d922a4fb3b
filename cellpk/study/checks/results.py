"""Rules for what was measured at all, and what of it is used."""

from collections.abc import Iterator

from cellpk.errors import Problem
from cellpk.study.checks.draft import Draft
from cellpk.study.checks.registry import check
from cellpk.study.checks.telling import Sample, by_assay, each, told


@check
def no_car_t_assay(draft: Draft) -> Iterator[Problem]:
    """Find that nobody measured CAR-T cells or transgene."""
    there = draft.samples["assay"].unique()
    if not set(there) & set(draft.kinetic_assays):
        study = draft.settings.study.id
        what = f"study {study!r} has no assay of CAR-T cells or transgene"
        yield Problem(what, "Check the names of the assays.", "warning")


@check
def excluded_samples(draft: Draft) -> Iterator[Problem]:
    """Find samples that are excluded from every analysis."""
    excluded = draft.samples[draft.samples["excluded"]]
    todo = "Nothing, if the reason is right."
    copies = excluded["reason"].str.startswith("stands twice")
    for reason, rows in excluded[~copies].groupby("reason", sort=False):
        for _, group, some, verb in by_assay(rows):
            yield told(group, f"{some} {verb} excluded: {reason}", todo)

    def what(sample: Sample) -> str:
        return f"1 sample of {sample['assay']} is excluded: {sample['reason']}"

    yield from each(excluded[copies], what, todo)


@check
def missing_results(draft: Draft) -> Iterator[Problem]:
    """Find samples that were taken but have no result."""
    samples = draft.samples
    missing = (samples["state"] == "missing") & ~samples["excluded"]
    for _, rows, some, _ in by_assay(samples[missing]):
        what = f"{some} without a result"
        yield told(rows, what, "Nothing, if there is none.", severity="note")
