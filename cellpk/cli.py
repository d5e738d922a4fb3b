"""The shell's door: ``cellpk demo | report | check | nca | fit | models | ...``."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from cellpk.errors import CellpkError

if TYPE_CHECKING:
    import pandas as pd

    from cellpk.kinetics.nca import Metrics
    from cellpk.model.model import Model
    from cellpk.study.study import Study

_Progress = Callable[[int, int, str], None]

DOUBTED = 2
"""What ``cellpk fit --strict`` ends with where something speaks against the fit."""


class _Commands(TyperGroup):
    """Says what went wrong in words, where a traceback would help nobody."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader has enough: click ends without a word
            raise
        except (CellpkError, OSError) as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich would take as long to load as all else
)
_StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY.TOML", help="Names the study's files.")
]
_Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]


def _print_version(*, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cellpk {version('cellpk')}")
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print it."),
]


@app.callback()
def _cellpk(*, version: _Version = False) -> None:
    """CAR-T cellular kinetics: from study files to metrics, fits and the report."""


@app.command()
def demo(
    output: _Output = Path("cellpk-demo"),
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
) -> None:
    """Simulate a small trial and write its report."""
    from cellpk.study.writing import write_study
    from cellpk.trial.simulate import simulate_study

    folder = output / "study"
    write_study(simulate_study(seed=seed), folder)
    typer.echo(f"Simulated a study, of no real patients: {folder / 'study.toml'}")
    report(folder / "study.toml", output)


@app.command()
def report(study: _StudyFile, output: _Output = Path("out")) -> None:
    """Analyse a study: report, tables and manifest."""
    read = _read(study)
    typer.echo(repr(read))
    from cellpk.reporting.analysis import analyse

    with _progress() as progress:
        written = analyse(read, progress=progress).write(output, progress=progress)
    typer.echo(f"Report: {written[0]}")
    typer.echo(f"Its tables, figures and manifest: {len(written) - 1} files beside it")


@app.command()
def check(study: _StudyFile, output: _Output = Path("out")) -> None:
    """Say what a study holds and what is doubtful in it, on a page as well."""
    from cellpk.reporting.check_page import check_study

    checked = check_study(study)
    written = checked.write(output)
    for line in checked.lines():
        typer.echo(line, err=checked.failed)
    names = " and ".join(map(str, written))
    typer.echo(f"\nIn full: {names}", err=checked.failed)
    if checked.failed:
        raise typer.Exit(1)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the delivered files.")],
) -> None:
    """Begin a study.toml for the files of a folder."""
    from cellpk.study.starting import start_study

    path = start_study(folder)
    typer.echo(f"Begun: {path}\nSay what it leaves open, then: cellpk check {path}")


@app.command()
def export(
    study: _StudyFile,
    to: Annotated[str, typer.Option(help="nonmem, monolix, sdtm, adam, tidy ...")],
    output: _Output = Path("out"),
    *,
    ending: Annotated[str, typer.Option(help="Kind of files, such as .xpt.")] = "",
) -> None:
    """Write a study in another format, with a data dictionary beside it."""
    from cellpk.study.writing import write_study

    read = _read(study)
    written = write_study(read, output, format=to, ending=ending)
    same = "the same study" if _read(written) == read else "ANOTHER study"
    typer.echo(f"Written: {written}, which reads back as {same}")
    if same != "the same study":
        raise typer.Exit(1)


@app.command("nca")
def write_metrics(study: _StudyFile, output: _Output = Path("out")) -> None:
    """Write each patient's metrics, with units and reasons."""
    from cellpk.kinetics.nca import nca

    metrics = nca(_read(study))
    tables = {
        "metrics": metrics.table,
        "reasons": metrics.reasons,
        "units": _units(metrics),
    }
    output.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        path = output / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        typer.echo(path)


@app.command()
def fit(
    study: _StudyFile,
    output: _Output = Path("out"),
    *,
    method: Annotated[
        Literal["individual", "population", "bayes"],
        typer.Option(help="Each patient alone, all together, or hierarchical Bayes."),
    ] = "population",
    model: Annotated[str, typer.Option(help="Instead of the study's.")] = "",
    priors: Annotated[
        Literal["literature", "weak"] | None, typer.Option(help="Of bayes.")
    ] = None,
    chains: Annotated[int | None, typer.Option(help="Of bayes.")] = None,
    draws: Annotated[int | None, typer.Option(help="Of each chain of bayes.")] = None,
    tune: Annotated[int | None, typer.Option(help="Draws before them.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the study's.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with code 2 where a fit is doubted.")
    ] = False,
) -> None:
    """Fit a model; write its tables and the fit. Run again, bayes takes up its chains.

    The first line says how it went. Exit code 0: done, doubted or not; 1: not possible;
    2, with --strict: something speaks against the fit, as the error output says.
    """
    from cellpk.reporting.fit_files import doubts_of, fit_study, write_fit

    said = {"priors": priors, "chains": chains, "draws": draws, "tune": tune}
    with _progress() as progress:
        fitted = fit_study(
            _read(study),
            method,
            output,
            model=model,
            seed=seed,
            options=said,
            progress=progress,
        )
    typer.echo(repr(fitted))
    for path in write_fit(fitted, output):
        typer.echo(path)
    doubts = doubts_of(fitted)
    for doubt in doubts:
        typer.echo(f"Doubted: {doubt}", err=True)
    if strict and doubts:
        raise typer.Exit(DOUBTED)


@app.command()
def calibrate(
    model: Annotated[str, typer.Argument(help="Model, or its file.")],
    *,
    patients: Annotated[int, typer.Option(help="Of each trial.")] = 6,
    trials: Annotated[int, typer.Option(help="How many are simulated.")] = 100,
    lloq: Annotated[float, typer.Option(help="Limit, in the model's unit.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the simulation.")] = 1,
    output: _Output = Path("out"),
) -> None:
    """Simulate trials from the priors, fit each by bayes, and count what holds."""
    from cellpk.fit.bayes.calibration import calibrate as calibrated
    from cellpk.fit.bayes.calibration import usual_design
    from cellpk.model.library import load_model

    with _progress() as progress:
        found = calibrated(
            load_model(model),
            patients,
            trials=trials,
            design=usual_design(lloq),
            seed=seed,
            progress=progress,
        )
    output.mkdir(parents=True, exist_ok=True)
    for name, table in {"calibration": found.table, "ranks": found.ranks}.items():
        path = output / f"{name}.csv"
        table.to_csv(path, index=False, lineterminator="\n")
        typer.echo(path)


@app.command()
def models(
    name: Annotated[
        str, typer.Argument(help="A model or its file; without it, all are listed.")
    ] = "",
) -> None:
    """List the models, or print one and its printed numbers beside computed ones."""
    from cellpk.model.library import list_models, load_model

    if name:
        model = load_model(name)
        typer.echo(f"{model!r}\n\n{_compared(model)}")
        return
    for row in list_models().to_dict("records"):
        count = len(row["parameters"].split(", "))
        typer.echo(
            f"{row['name']}\n  {row['title']}\n  {row['status']}; observed: "
            f"{row['observed']}; {count} parameters that differ between patients\n"
            f"  {row['source']}"
        )


_Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Models; without any, the whole library."),
]


@app.command()
def gallery(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    names: _Names = None,
) -> None:
    """Write a page for every model, and an index of them."""
    from cellpk.reporting.gallery import write_gallery

    with _progress() as progress:
        written = write_gallery(folder, names, progress=progress)
    typer.echo(f"Gallery: {written[0]}")
    typer.echo(f"Its models: {len(written) - 1} page(s) beside it")


@app.command()
def warmup(names: _Names = None) -> None:
    """Compile models ahead of their first use, once per machine."""
    from cellpk.model.compile.kernel import warm_up
    from cellpk.model.library import list_models, load_model

    models = [load_model(name) for name in names or list_models()["name"]]
    with _progress() as progress:
        for done, model in enumerate(models):
            progress(done, len(models), f"Compiling: {model.name}")
            seconds = warm_up([model], notify=_unsaid)[model.name]
            typer.echo(f"{model.name}  {seconds:.1f} s")
        progress(len(models), len(models), "Compiled")


def _unsaid(_sentence: str) -> None:
    """Pass over a sentence that the progress says already."""


def _compared(model: "Model") -> str:
    """Return printed numbers beside computed ones, as text."""
    from cellpk.errors import ModelError
    from cellpk.model.reproduce import reproduce

    try:
        table = reproduce(model)
    except ModelError as error:
        return f"Printed against computed\n  not possible: {error}"
    if table.empty:
        return "Printed against computed\n  no number to compare with"
    cells = [("number", "printed", "computed", "unit", "")] + [
        (
            row["label"] or row["name"],
            row["printed"],
            f"{row['computed']:.6g}",
            row["unit"],
            "met" if row["agrees"] else "NOT MET",
        )
        for row in table.to_dict("records")
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in cells
    )
    return "\n".join(["Printed against computed", *(f"  {x}".rstrip() for x in lines)])


def _read(path: Path) -> "Study":
    from cellpk.study.reading import read_study

    return read_study(path)


def _units(metrics: "Metrics") -> "pd.DataFrame":
    """Return the unit of each metric of each assay, one a row."""
    import pandas as pd

    rows = [
        (assay, metric, unit)
        for assay in metrics.table["assay"].unique()
        for metric, unit in metrics.units(assay).items()
    ]
    return pd.DataFrame(rows, columns=["assay", "metric", "unit"])


@contextmanager
def _progress() -> Iterator[_Progress]:
    """Yield what shows progress: a bar on a terminal, plain lines in a log."""
    if not sys.stderr.isatty():
        yield _log
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        bar = bars.add_task("", total=None)

        def show(done: int, total: int, text: str) -> None:
            bars.update(bar, completed=done, total=total, description=escape(text))

        yield show


def _log(done: int, _total: int, text: str) -> None:
    """Write a line when a part of the work begins."""
    if done == 0:
        typer.echo(text.partition(":")[0], err=True)
