"""Studies of one file of event records, made of its text and of what [[data]] says."""

from cellpk.errors import DataError
from cellpk.study.reading import read_study


def study_of(folder, text, said, *, name="nonmem", more=""):
    """Read a study with one file; ``said`` are lines of [[data]]."""
    (folder / "data.csv").write_text(text, encoding="utf-8")
    (folder / "study.toml").write_text(
        f'[study]\nid = "A"\ninfusion_day = 1\n{more}\n'
        f'[[data]]\nformat = "{name}"\nfiles = ["data.csv"]\n{said}\n',
        encoding="utf-8",
    )
    return read_study(folder)


def problems_of(folder, text, said, *, name="nonmem", more=""):
    """Return what is impossible in a study with one file."""
    try:
        study = study_of(folder, text, said, name=name, more=more)
    except DataError as error:
        return [found for found in error.problems if found.severity == "error"]
    raise AssertionError(f"the study was read: {study}")


def doubts_of(study, words):
    """Return the doubts in whose sentence these words stand."""
    problems = study.problems
    found = problems[problems["what"].str.contains(words, regex=False)]
    return found.to_dict("records")


def fates(study):
    """Return how many rows of the file came to what, and why."""
    rows = study.accounting.query("file == 'data.csv'")
    return {
        (fate, table, reason): n
        for fate, table, reason, n in rows.drop(columns="file").itertuples(index=False)
    }
