"""Exposure (EX, or EC where there is no EX): which records are of the product."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cellpk.errors import Problem, nearest
from cellpk.study import parsing
from cellpk.study.cdisc import named
from cellpk.study.delivery import Delivery
from cellpk.study.sdtm.domains import Domain, Mask
from cellpk.study.sdtm.section import SdtmFiles


@dataclass(frozen=True)
class Exposure:
    """Records of exposure and what they are of.

    Parameters
    ----------
    domain : Domain
        EX or EC.
    product, other : ndarray of bool
        Which records are infusions of the product, which of another treatment.
    doses : Series of str
        The doses as delivered; "" where a record of the product says 0.

    Examples
    --------
    >>> ex = Domain.of("EX", USUBJID=["1"], EXTRT=["CAR-T"], EXDOSE=["1e8"])
    >>> section = SdtmFiles(format="sdtm", files=("sdtm",))
    >>> exposures_of([ex], section, Delivery())[0].product.tolist()
    [True]
    """

    domain: Domain
    product: Mask
    other: Mask
    doses: pd.Series


def exposures_of(
    domains: Sequence[Domain], section: SdtmFiles, delivery: Delivery
) -> list[Exposure]:
    """Tell infusions of the product from other treatments.

    Parameters
    ----------
    domains : sequence of Domain
        All domains; EC is read where there is no EX.
    section : SdtmFiles
        ``product`` names the treatments (EXTRT) that are the product.
    delivery : Delivery
        Where records of what was not given are put aside, and what is impossible told:
        several treatments and no word on the product, a product that nobody got, a
        dose of 0 that nobody explained.

    Returns
    -------
    list of Exposure
        One per file of EX or EC.

    Examples
    --------
    >>> exposures_of([], SdtmFiles(format="sdtm", files=("sdtm",)), Delivery())
    []
    """
    there = [part for part in domains if part.name == "EX"]
    copies = [part for part in domains if part.name == "EC"]
    if there:
        for part in copies:
            everything = np.ones(len(part), dtype=bool)
            delivery.put_aside(part.grid, everything, "EX tells the same exposure")
    there = there or copies
    given = {part.grid.file: _given(part, delivery) for part in there}
    product = _product(there, section, delivery)
    return [
        _exposure(part, given[part.grid.file], product, section, delivery=delivery)
        for part in there
    ]


def _given(part: Domain, delivery: Delivery) -> Mask:
    """Put aside what was planned only, or not given."""
    planned = (part.own("MOOD").str.upper() == "SCHEDULED").to_numpy(bool)
    delivery.put_aside(part.grid, planned, "planned, not yet given")
    missed = (part.own("OCCUR").str.upper() == "N").to_numpy(bool) & ~planned
    delivery.put_aside(part.grid, missed, "was not given")
    return ~planned & ~missed


def _product(
    domains: Sequence[Domain], section: SdtmFiles, delivery: Delivery
) -> set[str]:
    """Return the treatments that are the product, in capitals."""
    if not domains:
        return set()
    all_of_them = pd.concat([part.own("TRT") for part in domains])
    known = {name.upper(): name for name in all_of_them.unique() if name}
    said = {name.upper(): name for name in section.product}
    file, column = domains[0].grid.file, f"{domains[0].name}TRT"
    for name in said.keys() - known.keys():
        what = f"nobody was given the product {said[name]!r}"
        todo = f"{nearest(said[name], known.values())} Correct 'product'."
        delivery.problems.append(Problem(what, todo, file=file, column=column))
    if not said and len(known) > 1:
        what = f"there are several treatments: {named(known.values(), most=10)}"
        todo = (
            f'Say which are the CAR-T product, as product = ["{min(known.values())}"]; '
            "the others become comedication."
        )
        delivery.problems.append(Problem(what, todo, file=file, column=column))
    return set(said or known)


def _exposure(
    part: Domain,
    given: Mask,
    product: set[str],
    section: SdtmFiles,
    *,
    delivery: Delivery,
) -> Exposure:
    """Tell the records of one file apart."""
    treatments = part.own("TRT").str.upper()
    ours = treatments.isin(product).to_numpy(bool) & given
    doses = part.own("DOSE")
    zero = ours & (parsing.numbers(doses) == 0)
    # SDTM gives a placebo the dose 0.
    placebo = treatments.str.contains("PLACEBO").to_numpy(bool)
    open_ = zero & ~placebo
    column = f"{part.name}DOSE"
    if section.zero_dose == "not given":
        delivery.put_aside(part.grid, open_, "a dose of 0: was not given")
        ours = ours & ~open_
    elif section.zero_dose is None:
        what = "the dose of the product is 0"
        todo = (
            "Say zero_dose = 'not given' where nothing was infused, 'given' where the "
            "dose is not known."
        )
        part.complain(open_, what, todo, column=column, to=delivery, rule="dose_of_0")
    what, todo = "{n} of infusions with dose 0: without a dose", "Give it if known."
    part.doubt(
        ours & zero,
        what,
        todo,
        column=column,
        severity="note",
        to=delivery,
        rule="dose_of_0",
    )
    other = given & ~treatments.isin(product).to_numpy(bool)
    return Exposure(part, ours, other, doses.mask(zero, ""))
