"""A valid study folder, and many ways to break it; each says what must come of it.

What must come: "same" (the study is equal to the unbroken one), "error" (a DataError),
"doubt" (a study with a row in ``problems`` that the unbroken one has not), "any" (an
error, or a study that lost nothing and holds no number that is not in the files).
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOML = """
[study]
id = "A"
infusion_day = 0
[[samples]]
file = "samples.csv"
[patients]
file = "patients.csv"
[infusions]
file = "infusions.csv"
[[comedication]]
file = "comedication.csv"
[[outcomes]]
file = "outcomes.csv"
"""
SAMPLES = """patient,time,nominal_time,visit,level,unit,assay,lloq,specimen
007,-0.1,0,Day 0,<50,copies/ug,qpcr,50,blood
007,7.2,7,Day 7,1310,copies/ug,qpcr,50,blood
007,14.1,14,Day 14,25000,copies/ug,qpcr,50,blood
007,28.3,28,Day 28,480,copies/ug,qpcr,50,blood
008,-0.1,0,Day 0,BLQ,copies/ug,qpcr,50,blood
008,7.0,7,Day 7,310,copies/ug,qpcr,50,blood
008,13.9,14,Day 14,9100,copies/ug,qpcr,50,blood
008,27.8,28,Day 28,ND,copies/ug,qpcr,50,blood
009,7.1,7,Day 7,88,copies/ug,qpcr,50,blood
009,14.2,14,Day 14,640,copies/ug,qpcr,50,blood
009,28.0,28,Day 28,NA,copies/ug,qpcr,50,blood
007,3.2,3,Day 3,12.5,pg/mL,il6,1.5,serum
008,3.1,3,Day 3,401,pg/mL,il6,1.5,serum
009,3.0,3,Day 3,<1.5,pg/mL,il6,1.5,serum
"""
FILES = {
    "study.toml": TOML,
    "samples.csv": SAMPLES,
    "patients.csv": "patient,age,dose_level\n007,61,1\n008,55,1\n009,70,2\n",
    "infusions.csv": (
        "patient,time,dose,unit,lot\n"
        "007,0,1.5e8,cells,A\n008,0,1.5e8,cells,A\n009,0,3e8,cells,B\n"
    ),
    "comedication.csv": "patient,drug,time\n008,tocilizumab,4.5\n",
    "outcomes.csv": (
        "patient,endpoint,value,time\n"
        "007,best_response,CR,28\n008,best_response,VGPR,28\n009,best_response,SD,28\n"
        "007,crs_grade,1,4\n008,crs_grade,2,4\n009,crs_grade,0,\n"
    ),
}


def write_valid(folder: Path) -> None:
    """Write the unbroken folder."""
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")


@dataclass(frozen=True)
class Break:
    """One way to break a folder, and what must come of it."""

    name: str
    expected: str
    apply: Callable[[Path, random.Random], None]


BREAKS: list[Break] = []


FEWEST = 8
"""Lines that samples.csv has at least, unless it was emptied."""


def add(name, expected, apply):
    BREAKS.append(Break(name, expected, apply))


def text_of(path):
    return path.read_bytes().decode("utf-8", errors="replace")


def change(file, edit):
    """Return a break that edits the text of one file."""

    def apply(folder, rng):
        path = folder / file
        if not path.is_file():
            return  # another break took it away
        new = edit(text_of(path), rng)
        path.write_bytes(new if isinstance(new, bytes) else new.encode("utf-8"))

    return apply


def put(file, old, new, count=1):
    """Return a break that puts one text in place of another, which must be there."""

    return change(file, lambda text, _rng: text.replace(old, new, count))


def lines(edit):
    """Return a break of the lines of samples.csv (header first)."""

    def whole(text, rng):
        rows = text.splitlines()
        if len(rows) < FEWEST or "," not in rows[0]:
            return text  # another break left next to nothing
        return "\n".join(edit(rows, rng)) + "\n"

    return change("samples.csv", whole)


def cells(edit):
    """Return a break of the table of samples.csv, a list of rows of cells."""
    return lines(
        lambda rows, rng: [
            ",".join(row) for row in edit([row.split(",") for row in rows], rng)
        ]
    )


def column(number, edit):
    """Return a break of one column's cells below the header."""

    def change_all(table, rng):
        for row in table[1:]:
            if number < len(row):
                row[number] = edit(row[number], rng)
        return table

    return cells(change_all)


def without(number):
    return cells(lambda table, rng: [r[:number] + r[number + 1 :] for r in table])


def number(edit):
    """Return an edit of cells that are numbers; others stay as they are."""

    def change_one(cell, _rng):
        try:
            return f"{edit(float(cell)):.1f}"
        except (ValueError, OverflowError):
            return cell

    return change_one


# How the file is written.
S = "samples.csv"
add("byte-order mark", "same", change(S, lambda t, r: "\ufeff" + t))
add("Windows lines", "same", change(S, lambda t, r: t.replace("\n", "\r\n")))
add("old Mac lines", "same", change(S, lambda t, r: t.replace("\n", "\r")))
add("empty lines", "same", change(S, lambda t, r: t.replace("\n", "\n\n")))
add("no newline at the end", "same", change(S, lambda t, r: t.rstrip("\n")))
add(
    "all cells quoted",
    "same",
    lines(lambda rows, r: ['"' + row.replace(",", '","') + '"' for row in rows]),
)
add("blanks around cells", "same", change(S, lambda t, r: t.replace(",", " , ")))
add(
    "lines of separators at the end",
    "same",
    change(S, lambda t, r: t + ",,,,,,,,\n,,,,,,,,\n"),
)
add("UTF-16", "error", change(S, lambda t, r: t.encode("utf-16")))
add("UTF-32", "error", change(S, lambda t, r: t.encode("utf-32")))
add(
    "Latin-1",
    "error",
    change(S, lambda t, r: t.replace("Day", "Tägl").encode("cp1252", "replace")),
)
add(
    "GB18030",
    "error",
    change(S, lambda t, r: t.replace("blood", "外周血").encode("gb18030")),
)
add("NUL bytes", "any", change(S, lambda t, r: t.replace("310", "3\0010", 1)))
add("empty", "error", change(S, lambda t, r: ""))
add("white space only", "error", change(S, lambda t, r: " \n\t\n"))
add("header only", "error", change(S, lambda t, r: t.partition("\n")[0]))
add("no header", "error", change(S, lambda t, r: t.partition("\n")[2]))
add("cut off", "any", change(S, lambda t, r: t[: r.randrange(len(t) + 1)]))
add("cut off in the header", "error", change(S, lambda t, r: t[:20]))
add("semicolons", "error", change(S, lambda t, r: t.replace(",", ";")))
add("tabs", "error", change(S, lambda t, r: t.replace(",", "\t")))
add("an open quotation mark", "error", put(S, "1310", '"1310'))
add("a quotation mark inside", "any", put(S, "1310", '13"10'))
add("random bytes", "error", change(S, lambda t, r: r.randbytes(2000)))
add("a workbook", "error", change(S, lambda t, r: b"PK\x03\x04" + r.randbytes(500)))
add(
    "a web page",
    "error",
    change(S, lambda t, r: f"<html><body><table>{t}</table></body></html>"),
)
add("a comment above", "error", change(S, lambda t, r: "# export of today\n" + t))
add("a title above", "error", change(S, lambda t, r: "Trial A: levels\n\n" + t))
add(
    "a row of units below the header",
    "error",
    lines(lambda rows, r: [rows[0], ",day,day,,copies/ug,,,,", *rows[1:]]),
)
add(
    "a row of totals",
    "error",
    lines(lambda rows, r: [*rows, "Total,,,,37000,,,,"]),
)
add("the header twice", "error", lines(lambda rows, r: [*rows, rows[0]]))
add("a cell too many", "error", put(S, "1310,", "1310,1,"))
add("a cell lost", "error", put(S, ",1310,", ","))
add("a cell of a megabyte", "any", put(S, "Day 7", "x" * 1_000_000))
add("a vertical tab in a cell", "same", put(S, "Day 14", "Day\v14", count=-1))
add("control-Z at the end", "any", change(S, lambda t, r: t + "\x1a"))
add(
    "a character changed",
    "any",
    change(
        S,
        lambda t, r: t.replace(
            r.choice(t or "x"), r.choice("\0\x7f,;\"'<>-.eE٣ \n|€😀")
        ),
    ),
)

# What the columns are.
for position, header in enumerate(("patient", "time")):
    add(f"no column {header}", "error", without(position))
add("no column level", "error", without(4))
add("no column assay", "error", without(6))
add("no column unit", "same_levels", without(5))
add("a column in capitals", "error", put(S, "patient,", "PATIENT,"))
add("a column twice", "error", put(S, "visit,", "level,"))
add("a column without a name", "any", put(S, "visit,", ","))
add("a further column", "same", lines(lambda rows, r: [row + ",x" for row in rows]))
add("columns in another order", "same", cells(lambda t, r: [row[::-1] for row in t]))
add(
    "rows in another order",
    "same",
    lines(lambda rows, r: [rows[0], *r.sample(rows[1:], len(rows) - 1)]),
)

# What the cells say.
add("a row twice", "doubt", lines(lambda rows, r: [*rows, rows[2]]))
add(
    "a sample with two levels",
    "error",
    lines(lambda rows, r: [*rows, rows[2].replace("1310", "1400")]),
)
add("a thousands separator", "error", put(S, "1310", '"1,310"'))
add("a thousands blank", "error", put(S, "1310", "1 310"))
add("a thousands point", "any", put(S, "25000", "25.000.000"))
add("an apostrophe for thousands", "error", put(S, "1310", "1'310"))
add("a decimal comma", "error", put(S, "12.5", '"12,5"'))
add("NaN", "doubt", put(S, "1310", "NaN"))
add("infinite", "error", put(S, "1310", "inf"))
add("minus infinite", "error", put(S, "1310", "-Infinity"))
add("beyond a double", "error", put(S, "1310", "1e400"))
add("near the end of doubles", "any", put(S, "1310", "1e308"))
add("denormal", "any", put(S, "1310", "5e-324"))
add("negative", "error", put(S, "1310", "-1310"))
add("minus by a dash of print", "error", put(S, "1310", "\u22121310"))
add("text in a level", "error", put(S, "1310", "plenty"))
add("an error of a workbook", "error", put(S, "1310", "#DIV/0!"))
add("a formula", "error", put(S, "1310", "=A1*2"))
add("a percent sign", "error", put(S, "1310", "13%"))
add("digits of another script", "same_levels", put(S, "1310", "١٣١٠"))
add("full-width digits", "same_levels", put(S, "1310", "１３１０"))
add("an underscore in a number", "error", put(S, "1310", "1_310"))
add("a hexadecimal number", "error", put(S, "1310", "0x51E"))
add("an exponent", "same", put(S, "25000", "2.5E+04"))
add("a plus sign", "same_levels", put(S, "1310", "+1310"))
add("a number of many digits", "any", put(S, "1310", "1310." + "0" * 400 + "1"))
add("zero with a limit", "any", put(S, "1310", "0"))
add("below another limit", "error", put(S, "<50,copies", "<70,copies"))
add("a no-break space in a number", "error", put(S, "1310", "1\u00a0310"))
add("no patient", "error", put(S, "007,7.2", ",7.2"))
add("a patient of blanks", "error", put(S, "007,7.2", "  ,7.2"))
add("emoji for a patient", "doubt", put(S, "007,7.2", "🙂,7.2"))
add("leading zeros lost", "doubt", change(S, lambda t, r: t.replace("\n00", "\n")))
add("a patient of right-to-left text", "doubt", put(S, "007,7.2", "مريض,7.2"))
add("no time", "error", put(S, "007,7.2", "007,"))
add("text for a time", "error", put(S, "007,7.2", "007,day 7"))
add("a date for a time", "error", put(S, "007,7.2", "007,2024-03-01"))
add("a day of a workbook for a time", "error", put(S, "007,7.2", "007,45352"))
add("a clock time", "error", put(S, "007,7.2", "007,07:20"))
add("a time of 1e300", "error", put(S, "007,7.2", "007,1e300"))
add("hours for days", "doubt", column(1, number(lambda time: time * 24)))
add("days counted from 1", "doubt", column(1, number(lambda time: time + 1)))
add("an assay nobody knows", "error", put(S, "qpcr", "qqcr"))
add("no assay in a row", "error", put(S, ",qpcr,", ",,"))
add("a unit nobody knows", "error", put(S, "copies/ug", "copies/cup"))
add("a unit of another assay", "error", put(S, "copies/ug", "pg/mL"))
add("a unit that changes", "doubt", put(S, "copies/ug", "copies/ng"))
add("a limit of 0", "error", put(S, ",50,", ",0,"))
add("a negative limit", "error", put(S, ",50,", ",-50,"))
add("text for a limit", "error", put(S, ",50,", ",fifty,"))
add(
    "levels ten times too high in one sample",
    "any",
    put(S, "25000", "250000"),
)
add("a code for missing", "doubt", put(S, "1310", "99999"))

# The other tables.
P, D, C, E = "patients.csv", "infusions.csv", "comedication.csv", "outcomes.csv"
add("a patient twice", "error", put(P, "008,", "007,"))
add("patients without names", "error", put(P, "patient,", "person,"))
add("a covariate with a sign in its name", "error", put(P, "dose_level", "dose level"))
add("a patient in no other table", "doubt", change(P, lambda t, r: t + "010,50,2\n"))
add("patients empty", "error", change(P, lambda t, r: ""))
add("text for a dose", "error", put(D, "1.5e8", "much"))
add("a dose of 0", "error", put(D, "1.5e8", "0"))
add("an infusion lost", "doubt", put(D, "009,0,3e8,cells,B\n", ""))
add("an infusion on day 1", "doubt", put(D, "009,0,", "009,1,"))
add("a dose 1000 times too high", "doubt", put(D, "3e8", "3e11"))
add("no drug", "error", put(C, "tocilizumab", ""))
add("a drug at no time", "doubt", put(C, "4.5", ""))
add("a drug for nobody we know", "doubt", put(C, "008", "088"))
add("a response nobody knows", "error", put(E, "VGPR", "very good"))
add("an endpoint nobody knows", "error", put(E, "crs_grade", "crs"))
add("a grade of 6", "error", put(E, "crs_grade,2", "crs_grade,6"))
add("two best responses", "error", put(E, "008,best_response", "007,best_response"))
add("a response before the infusion", "doubt", put(E, "CR,28", "CR,-28"))
add("an outcome of nobody", "error", put(E, "009,best", ",best"))

# study.toml.
T = "study.toml"
add("no study.toml", "error", lambda folder, r: (folder / T).unlink(missing_ok=True))
add("not TOML", "error", change(T, lambda t, r: t.replace("[study]", "[study")))
add("an empty study.toml", "error", change(T, lambda t, r: ""))
add("a study.toml of bytes", "error", change(T, lambda t, r: r.randbytes(300)))
add("no infusion_day", "error", put(T, "infusion_day = 0\n", ""))
add("infusion_day = 2", "error", put(T, "infusion_day = 0", "infusion_day = 2"))
add("an unknown key", "error", put(T, "infusion_day", 'day = "x"\ninfusion_day'))
add("an unknown table", "error", change(T, lambda t, r: t + "\n[sampels]\na = 1\n"))
add("a file that is not there", "error", put(T, "samples.csv", "sample.csv"))
add("a folder for a file", "error", put(T, "samples.csv", "."))
add("a device for a file", "error", put(T, "samples.csv", "/dev/zero"))
add("a way out of the folder", "error", put(T, "samples.csv", "../" * 30 + "etc/hosts"))
add("NUL in a path", "error", put(T, "samples.csv", "samples\\u0000.csv"))
add("an empty path", "error", put(T, '"samples.csv"', '""'))
add("a path of 5000 signs", "error", put(T, "samples.csv", "x" * 5000 + ".csv"))
add("a file of another table", "error", put(T, '"samples.csv"', '"patients.csv"'))
add("an encoding nobody knows", "error", put(T, S + '"', S + '"\nencoding = "x"'))
add("another encoding", "any", put(T, S + '"', S + '"\nencoding = "cp037"'))
add("another separator", "error", put(T, S + '"', S + '"\nseparator = ";"'))
add(
    "the same file twice",
    "doubt",
    change(T, lambda t, r: t + '\n[[samples]]\nfile = "samples.csv"\n'),
)
add("another ending", "error", put(T, "samples.csv", "samples.xlsx"))
add(
    "a format nobody knows",
    "error",
    change(T, lambda t, r: t + '\n[[data]]\nformat = "sas"\nfiles = ["."]\n'),
)
add(
    "an empty folder of files",
    "error",
    change(T, lambda t, r: t + '\n[[data]]\nformat = "sdtm"\nfiles = ["none"]\n'),
)


def _pipe(folder, _rng):
    (folder / S).unlink(missing_ok=True)
    os.mkfifo(folder / S)


def _loop(folder, _rng):
    (folder / S).unlink(missing_ok=True)
    (folder / S).symlink_to(folder / S)


add("a pipe for a file", "error", _pipe)
add("a link to itself", "error", _loop)
