"""Between which samples each patient's level fell below the limit for good."""

import numpy as np
import pandas as pd

from cellpk.kinetics.layout import counted_until, usable_samples
from cellpk.study.metric_rules import Rules
from cellpk.study.study import Study

STATUS: dict[str, str] = {
    "lost": "Fell below the limit between the two samples.",
    "quantifiable": "The last sample was still quantifiable.",
    "never_quantifiable": "No sample after the infusion was quantifiable.",
    "not_sampled": "No usable sample was taken after the infusion.",
}
"""What became of a patient's level: the code and the sentence for it."""


def usable(study: Study, rules: Rules, *, assay: str, specimen: str) -> pd.DataFrame:
    """Return the samples after the infusion that say whether a level was quantifiable.

    Parameters
    ----------
    study : Study
        Samples that are missing or excluded are left out: they are not negative.
    rules : Rules
        Those of the metrics: what ends the time in which samples count.
    assay, specimen : str
        The series.

    Returns
    -------
    DataFrame
        patient, time (days after the infusion), state, llod, present (quantifiable, or
        above the upper limit), sorted.

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": "1", "time": [-1, 14], "level": [9.0, 8]})
    >>> study = Study.from_frames(samples.assign(assay="flow", specimen="blood"))
    >>> kept = usable(study, Rules(), assay="flow", specimen="blood")
    >>> kept[["patient", "time", "present"]].values.tolist()
    [['1', 14.0, True]]
    """
    samples, late = usable_samples(study, rules)
    here = (samples["assay"] == assay) & (samples["specimen"] == specimen)
    after = here & (samples["time"] > 0) & ~late
    kept = samples.loc[after, ["patient", "time", "state", "llod"]]
    present = kept["state"].isin(["quantified", "above"])
    return kept.assign(present=present).sort_values(["patient", "time"], kind="stable")


def losses(metrics: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Return the days between which each patient's level was lost.

    Parameters
    ----------
    metrics : DataFrame
        Rows of ``Metrics.table`` of one series: ``patient``, ``t_last``, ``t_bql``.
    samples : DataFrame
        As from :func:`usable`; a patient without any is told, not left out.

    Returns
    -------
    DataFrame
        patient, left (last quantifiable sample, 0 for none), right (first sample after
        it, all of which are below the limit; infinite where none came), status (key of
        ``STATUS``), last (last sample; NaN for none).

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": "1", "time": [14.0, 28, 60, 90]})
    >>> rows = pd.DataFrame({"patient": ["1"], "t_last": 60.0, "t_bql": 90.0})
    >>> losses(rows, samples).values.tolist()
    [['1', 60.0, 90.0, 'lost', 90.0]]
    """
    rows = metrics.set_index("patient")
    times = samples.groupby("patient")["time"]
    first, last = (each.reindex(rows.index) for each in (times.min(), times.max()))
    never = rows["t_last"].isna()
    status = np.select(
        [last.isna(), never, rows["t_bql"].isna()],
        ["not_sampled", "never_quantifiable", "quantifiable"],
        default="lost",
    )
    frame = pd.DataFrame(
        {
            "left": rows["t_last"].fillna(0.0),
            "right": rows["t_bql"].mask(never, first).fillna(np.inf),
            "status": status,
            "last": last,
        }
    )
    frame.loc[last.isna(), ["left", "right"]] = np.nan
    return frame.reset_index()


def follow_up(study: Study, rules: Rules) -> pd.DataFrame:
    """Return until when each patient is known to have been followed.

    Parameters
    ----------
    study : Study
        Its samples with a result (of any assay), infusions, comedication and outcomes,
        and the day of last contact (``patients["last_contact"]``) where it has one.
    rules : Rules
        Those of the metrics: whether a further infusion ends the time that counts.

    Returns
    -------
    DataFrame, indexed by patient
        last_record (day; -inf without any), death (day; infinite where none is dated),
        cut (day of a further infusion or another cell therapy; infinite without one).

    Examples
    --------
    >>> samples = pd.DataFrame({"patient": ["1"], "time": [7], "level": [8.0]})
    >>> dead = pd.DataFrame({"patient": ["1"], "endpoint": "death", "value": "1",
    ...                      "time": 40})
    >>> study = Study.from_frames(samples.assign(assay="flow"), outcomes=dead)
    >>> follow_up(study, Rules()).values.tolist()
    [[40.0, 40.0, inf]]
    """
    samples, given = study.samples, study.comedication
    outcomes, patients = study.outcomes, study.patients
    records = [
        samples.loc[samples["state"] != "missing", ["patient", "time"]],
        study.infusions[["patient", "time"]],
        given[["patient", "time"]],
        given[["patient", "end_time"]].rename(columns={"end_time": "time"}),
        outcomes[["patient", "time"]],
    ]
    if "last_contact" in patients:
        seen = pd.to_numeric(patients["last_contact"], errors="coerce")
        records.append(patients[["patient"]].assign(time=seen.astype(float)))
    every = pd.concat(records, ignore_index=True)
    index = pd.Index(patients["patient"])
    last = every.groupby("patient")["time"].max().reindex(index).fillna(-np.inf)
    dead = outcomes[outcomes["endpoint"].eq("death") & outcomes["value"].eq("1")]
    death = dead.groupby("patient")["time"].min().reindex(index).fillna(np.inf)
    cut = counted_until(study, rules).reindex(index).fillna(np.inf)
    return pd.DataFrame({"last_record": last, "death": death, "cut": cut})
