"""The sentences of the report: fixed words with slots for numbers."""

import string

from cellpk.errors import DataError, Problem, nearest
from cellpk.reporting.printed import NOT_CALCULABLE

SENTENCES = {
    "no_assay": "The study has no series of CAR-T cells or of their transgene.",
    "patients": "{patients} patients; {sampled} have a usable sample after the "
    "infusion ({assay}).",
    "samples": "{samples} samples ({assay}) from day {first} to day {last}: "
    "{quantified} quantified, {below} below the limit of quantification ({share}%).",
    "never": "In {never} of {sampled} sampled patients no level was quantified.",
    "geometric": "{metric}: geometric mean {mean} {unit} (geometric CV {cv}%), over "
    "the {quantified} patients with a quantified level of {n} evaluable.",
    "median": "{metric}: median {median} {unit} (range {low} to {high}), {n} patients.",
    "too_few": "{metric}: {n} patients with a quantified level; too few for a summary.",
    "partial": "{metric}: in {n} of {sampled} sampled patients only; the tables say "
    "why the others have none.",
    "fits": "Model {model}: {ml} patients fitted to their own data alone, {map} with "
    "the model's between-patient distribution as prior; {never} never expanded, "
    "{refused} with too few samples. {converged} of {fitted} fits converged.",
    "failed": "In {failed} patients the fit failed; the table says why.",
    "population": "Model {model}, fitted to all patients together ({method}): "
    "{patients} patients, {samples} samples of {assays}, {below} of them by limits "
    "only. -2 log likelihood {deviance}, {estimates} estimates.",
    "population_converged": "The population fit converged.",
    "population_not_converged": "The population fit has NOT converged: {why}.",
    "bayes_reliable": "All {checks} checks of the hierarchical fit's draws passed.",
    "bayes_not_reliable": "{failed} of {checks} checks of the hierarchical fit's draws "
    "FAILED, and its numbers are NOT reliable. {why} The table of checks has all.",
    "bayes": "Model {model}, fitted by hierarchical Bayes: {patients} patients, "
    "{samples} samples of {assays}, {below} of them by limits only. Priors: {priors}. "
    "{chains} chains of {draws} draws, after {tune} to tune the sampler, seed {seed}.",
    "bayes_calibrated": "Calibrated by simulation (cellpk {cellpk}, {date}): in "
    "{trials} trials of {patients} patients, whose truth was drawn from the priors of "
    "the model, 90% intervals of single patients held the true AUC0-28d in {area}% "
    "and the true peak level in {peak}%.",
    "bayes_draws": "The section is made from stored draws; SHA-256 of them: {sha256}.",
    "odds": "{outcome} against {exposure} ({assay}): odds ratio {ten} (95% credible "
    "interval {ten_low} to {ten_high}) per 10-fold and {two} ({two_low} to {two_high}) "
    "per 2-fold exposure; Pr(slope > 0) {positive}; {events} events in {n} patients.",
    "peak": "Peak {outcome} against {exposure} ({assay}): factor {ten} (95% interval "
    "{ten_low} to {ten_high}) per 10-fold and {two} ({two_low} to {two_high}) per "
    "2-fold exposure; {n} patients.",
    "problems": "Reading the data found {warnings} doubtful and {notes} noteworthy "
    "things.",
    "no_problems": "Reading the data found nothing doubtful.",
    "omitted": "Not done: {what}. {reason}",
}
"""Every sentence by its name; ``{slots}`` take printed numbers."""


def say(name: str, **slots: object) -> str:
    """Fill the slots of a sentence.

    Parameters
    ----------
    name : str
        Key of ``SENTENCES``.
    **slots
        What stands in each slot, as printed.

    Returns
    -------
    str
        The sentence.

    Raises
    ------
    DataError
        If the sentence is not known, or a slot is missing, empty or not calculable.

    Examples
    --------
    >>> say("never", never=3, sampled=18)
    'In 3 of 18 sampled patients no level was quantified.'
    """
    if name not in SENTENCES:
        what = "the report has no such sentence"
        raise DataError(Problem(what, nearest(name, SENTENCES), value=name))
    template = SENTENCES[name]
    needed = {field for _, field, _, _ in string.Formatter().parse(template) if field}
    empty = {None, "", "nan", NOT_CALCULABLE}
    lacking = sorted(
        slot for slot in needed if str(slots.get(slot, "")) in empty | {"None"}
    )
    if lacking:
        what = f"the sentence {name!r} of the report lacks {', '.join(lacking)}"
        raise DataError(Problem(what, "Leave the sentence out, or give the number."))
    return template.format(**slots)
