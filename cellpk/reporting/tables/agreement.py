"""Table of two assays of the same samples."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cellpk.reporting.assay_pairs import TOLERANCE, Agreement, assay_pairs
from cellpk.reporting.printed import NOT_CALCULABLE, count_share, fixed, inside, level
from cellpk.reporting.table import Table, table
from cellpk.study.units import pretty

if TYPE_CHECKING:
    from cellpk.study.study import Study


@table
def assay_agreement(
    study: "Study",
    *,
    first: str | None = None,
    second: str | None = None,
    tolerance: float = TOLERANCE,
    seed: int | None = None,
) -> Table:
    """Summarise how far two assays of the same samples agree.

    Parameters
    ----------
    study : Study
        The study.
    first : str, optional
        Assay; the study's main assay without.
    second : str, optional
        Assay; without, the next one of CAR-T cells that was measured.
    tolerance : float
        Days that two samples of a pair may lie apart.
    seed : int, optional
        Of the resampling of patients; the study's own without.

    Returns
    -------
    Table
        ``frame``: statistic, n (pairs), patients, estimate, low, high. The first rows
        count pairs: ``pairs``, ``both``, ``first_only``, ``second_only``, ``neither``
        (quantified); then the statistics of
        :class:`~cellpk.reporting.assay_pairs.Agreement`.

    Raises
    ------
    DataError
        If there are no two assays to compare, or there is no pair.

    Examples
    --------
    >>> import cellpk as ck
    >>> table = assay_agreement(ck.simulate_study(seed=1))
    >>> table.frame["statistic"].tolist()
    ['pairs', 'both', 'first_only', 'second_only', 'neither', 'spearman',
     'spearman_all', 'ratio', 'ratio_sd']
    """
    found = assay_pairs(
        study, first=first, second=second, tolerance=tolerance, seed=seed
    )
    names = tuple(study.assay(name).label for name in (found.first, found.second))
    counts = _counts(found)
    return Table(
        name=f"assay_agreement_{found.first}_{found.second}",
        title=f"Agreement of {inside(names[0])} and {inside(names[1])}",
        frame=pd.concat([counts, found.numbers], ignore_index=True),
        shown=pd.DataFrame(
            [*_shown_counts(counts, names), *_shown_numbers(found, names)]
        ),
        labels={
            "statistic": "Statistic",
            "pairs": "Pairs (patients)",
            "value": "n (%) or estimate\n(95% interval)",
        },
        group="block",
        footnotes=(
            "Quantified: not below the LLOQ; a level above the upper limit is.",
            "Ratio: of the geometric means of the pairs quantified by both; its "
            "geometric SD is a factor.",
            *_unpaired(found, study),
        ),
        rules=found.notes,
        source=f"study {study.settings.study.id}, samples",
        simulated=study.settings.study.simulated,
    )


def _counts(found: Agreement) -> pd.DataFrame:
    table = found.counts
    cells = {
        "both": (True, True),
        "first_only": (True, False),
        "second_only": (False, True),
        "neither": (False, False),
    }
    patients = found.pairs["patient"].nunique()
    rows = [("pairs", len(found.pairs), patients)]
    rows += [(name, table.loc[cell], np.nan) for name, cell in cells.items()]
    return pd.DataFrame(
        [
            {"statistic": name, "n": n, "patients": patients}
            for name, n, patients in rows
        ]
    ).astype({"patients": "Int64"})


def _shown_counts(counts: pd.DataFrame, names: tuple[str, ...]) -> list[dict[str, str]]:
    """Print the table of two by two, a cell a row."""
    n = counts.set_index("statistic")["n"]
    total = int(n["pairs"])
    labels = {
        "both": "By both assays",
        "first_only": f"By {inside(names[0])} only",
        "second_only": f"By {inside(names[1])} only",
        "neither": "By neither",
    }
    patients = int(counts["patients"].iloc[0])
    block = "Pairs of samples, quantified"
    first = {"block": block, "statistic": "Pairs", "value": str(total)}
    return [
        first | {"pairs": f"{total} ({patients})"},
        *(
            {
                "block": block,
                "statistic": label,
                "pairs": "",
                "value": count_share(int(n[name]), total),
            }
            for name, label in labels.items()
        ),
    ]


def _shown_numbers(found: Agreement, names: tuple[str, ...]) -> list[dict[str, str]]:
    units = [found.pairs[f"unit_{name}"].iloc[0] for name in ("first", "second")]
    unit = "" if units[0] == units[1] else f" ({' per '.join(map(pretty, units))})"
    labels = {
        "spearman": "Spearman's correlation, quantified by both",
        "spearman_all": "Spearman's correlation, all pairs, below the LLOQ lowest",
        "ratio": f"Ratio of geometric means{unit}",
        "ratio_sd": "Geometric SD of the ratio over pairs",
    }
    rows = []
    for row in found.numbers.to_dict("records"):
        name = row["statistic"]
        ranked = name.startswith("spearman")
        estimate, *ends = (
            fixed(row[each], 2) if ranked else level(row[each])
            for each in ("estimate", "low", "high")
        )
        text = f"{estimate} ({', '.join(ends)})"
        rows.append(
            {
                "block": f"{names[0]} against {inside(names[1])}",
                "statistic": labels[name],
                "pairs": f"{row['n']} ({row['patients']})",
                "value": NOT_CALCULABLE if np.isnan(row["estimate"]) else text,
            }
        )
    return rows


def _unpaired(found: Agreement, study: "Study") -> tuple[str, ...]:
    left = [
        f"{study.assay(name).label} ({n})" for name, n in found.unpaired.items() if n
    ]
    return (f"Samples without a partner: {', '.join(left)}.",) if left else ()
