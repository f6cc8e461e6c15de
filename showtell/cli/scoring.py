"""Commands that score: evaluate, score, compare, report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from showtell.cli.words import err, is_change, out, show
from showtell.plumbing.garbage import nothing_to_collect
from showtell.plumbing.origin import command


def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder. With --out also any model that `caption` takes.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Change options of data, decode, evaluate, or captioner.views."),
    ] = None,
    split: Annotated[str, typer.Option(help="The photos to score: train, val or test.")] = "val",
    output: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Write here instead of into RUN. `compare` takes this folder too."
        ),
    ] = None,
) -> None:
    """Caption a split with the run's best weights and score it: RUN/scores-SPLIT.json and a table."""
    with nothing_to_collect():
        from showtell.scoring.evaluate import evaluate_run

    show(evaluate_run(run, split, overrides or [], err, output))
    folder = output or run
    out.print(f"written: {folder / f'scores-{split}.json'}, {folder / f'captions-{split}.json'}")


def score(
    candidates: Annotated[Path, typer.Option(help="JSON, JSONL, CSV or TXT with one caption for each image.")],
    references: Annotated[Path, typer.Option(help="Human captions in the same forms; also COCO or Karpathy JSON.")],
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas between, for example BLEU,CIDEr-D. By default all.")
    ] = None,
    training: Annotated[
        Path | None, typer.Option(help="JSON of the training captions, to count copies of them.")
    ] = None,
    frequencies: Annotated[
        Path | None, typer.Option(help="References JSON for the document frequencies of CIDEr.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the photos, for CLIPScore.")] = None,
    clip: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model of CLIPScore: hub id, folder, or open_clip:ARCHITECTURE/TAG."),
    ] = None,
    words: Annotated[
        str,
        typer.Option(
            metavar="ptb|characters",
            help="What counts as a word. characters: each letter, for scripts without blanks (Chinese, Thai).",
        ),
    ] = "ptb",
    protocol: Annotated[str, typer.Option(help="Protocol of CLIPScore: paper, taipei or torchmetrics.")] = "paper",
    output: Annotated[Path | None, typer.Option("--out", help="A JSON file for the scores.")] = None,
) -> None:
    """Score captions from any program, with the metrics of coco-caption."""
    with nothing_to_collect():
        from showtell.metrics.score import to_json
        from showtell.plumbing.files import check_folder, write_json
        from showtell.scoring.files import score_files

    if output is not None:
        check_folder(output.parent, "--out")
    names = [name.strip() for name in metrics.split(",")] if metrics else None
    more: dict[str, Any] = {"clip": clip, "clip_protocol": protocol, "words": words}
    more |= {"training": training, "frequencies": frequencies, "photos": photos}
    scores = score_files(candidates, references, names, err, **more)
    show(scores)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_json(output, to_json(scores))


def compare(
    runs: Annotated[list[str], typer.Argument(metavar="RUN", help="Run folders. Each is compared with the first one.")],
    split: Annotated[str, typer.Option(help="Compare what `evaluate` wrote for train, val or test.")] = "val",
    references: Annotated[
        Path | None, typer.Option(help="References JSON, as for `score`. Then a RUN may be a JSON of captions.")
    ] = None,
    photos: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the photos, if --references is given.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas between, for example BLEU,CIDEr-D. By default all.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Number of bootstrap resamples, and of swaps.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    output: Annotated[Path | None, typer.Option("--out", help="Write a page (.html) or all numbers (.json).")] = None,
) -> None:
    """Compare runs: which one captions better, how certain this is, and on which photos they differ."""
    with nothing_to_collect():
        from showtell.report.compared import lines, write_comparison
        from showtell.report.page import check_out
        from showtell.scoring.compare import compare_runs

    path = check_out(output) if output is not None else None
    changes = [word for word in runs if is_change(word)]
    folders = [Path(word) for word in runs if word not in changes]
    settings: dict[str, Any] = {"metrics": metrics, "resamples": resamples, "seed": seed}
    comparison = compare_runs(folders, split, changes, references, photos, console=err, **settings)
    for line in lines(comparison):
        out.print(line)
    if path is not None:
        write_comparison(path, comparison, command())
        out.print(f"written: {path}")


def report(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="Run folders that `evaluate` has scored. data.KEY=VALUE changes where the data lies."
        ),
    ],
    output: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the report: new, or of a report.")],
    split: Annotated[
        str | None, typer.Option(help="What `evaluate` scored: test, val or train. By default the first that all have.")
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Photos to caption by all runs; by default five of the split are shown."),
    ] = None,
    maps: Annotated[
        str | None,
        typer.Option(metavar="RUN,RUN", help="Runs for which each word's map is drawn: names, all (default) or none."),
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also write report.pdf.")] = False,
    figures: Annotated[bool, typer.Option("--figures", help="Also write all figures, as PNG and SVG.")] = False,
) -> None:
    """Write a report of runs: a page (report.html) and a notebook (report.ipynb)."""
    with nothing_to_collect():
        from showtell.report.runs.write import report_runs

    changes = [word for word in runs if is_change(word)]
    folders = [word for word in runs if word not in changes]
    chosen = [name.strip() for name in maps.split(",")] if maps else None
    settings: dict[str, Any] = {"photos": photos, "maps": chosen, "with_pdf": pdf, "with_figures": figures}
    for path in report_runs(folders, output, split, changes, console=err, **settings):
        if path.parent == output:
            out.print(f"written: {path}")
    if figures:
        out.print(f"written: figures in {output / 'figures'}")
