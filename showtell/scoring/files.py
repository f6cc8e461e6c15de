"""JSON files of captions and of references -> scores. Only metrics that look at photos load torch."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from showtell.metrics.clipscore import SEEING
from showtell.metrics.names import chosen
from showtell.metrics.score import Scores, check_ready, to_json
from showtell.metrics.score import score as score_texts
from showtell.metrics.tokenize import NAME
from showtell.plumbing.errors import InputError
from showtell.plumbing.messages import say
from showtell.plumbing.scripts import unspaced
from showtell.scoring.formats import read_candidates, read_frequencies, read_references, read_training

if TYPE_CHECKING:
    from showtell.clip import Clip


def score(
    candidates: Mapping[str, str] | str | Path,
    references: Mapping[str, Sequence[str]] | str | Path,
    metrics: str | Sequence[str] | None = None,
    words: str = NAME,
) -> dict[str, Any]:
    """Score captions with coco-caption's protocol: `showtell score` from Python.

    `candidates` has one caption for each image_id, `references` several. Both may also be the path of a file that
    `showtell score` takes. `metrics` are names such as `"CIDEr-D"` or `"BLEU"`; by default, all that need only texts.
    `words="characters"` makes each Chinese, Japanese or Thai letter a word, because they have no blanks between words.
    Returns `{"scores": {metric: {"value", "interval", "signature"}}, "per_image": {image_id: {metric: value}}}`.
    An empty caption is scored like any other. References of images without a candidate are ignored.

    Raises InputError if a candidate has no references, a file cannot be read, or a metric is not known.

    >>> score({"a.jpg": "a dog runs"}, {"a.jpg": ["a dog", "the dog is running"]}, "length")["per_image"]
    {'a.jpg': {'length': 3.0}}
    """
    captions = candidates if isinstance(candidates, Mapping) else read_candidates(Path(candidates))
    known = references if isinstance(references, Mapping) else read_references(Path(references), captions)
    wanted = {image_id: texts for image_id, texts in known.items() if image_id in captions}
    if words == NAME and (note := _of_script(wanted)):
        warnings.warn(f'{note}; use words="characters"', stacklevel=2)
    return to_json(score_texts(captions, wanted, metrics, words=words))


def _of_script(references: Mapping[str, Sequence[str]]) -> str:
    """A warning if the references have no blanks between words."""
    found = unspaced(text for texts in references.values() for text in texts if isinstance(text, str))
    return f"{found}: a whole caption counts as one word" if found else ""


def score_files(
    candidates: Path,
    references: Path,
    metrics: Sequence[str] | None = None,
    console: Console | None = None,
    *,
    training: Path | None = None,
    frequencies: Path | None = None,
    photos: Path | None = None,
    clip: str | None = None,
    clip_protocol: str = "paper",
    words: str = NAME,
) -> Scores:
    """Score two JSON files. References of images without a candidate are skipped, and a note says how many.

    `training` has the captions that the model was trained on; `frequencies` has captions for CIDEr's document
    frequencies. `photos` is the folder of the photos for CLIPScore; then each candidate needs a photo there.
    """
    model = _model(clip, clip_protocol, console) if photos or clip or clip_protocol != "paper" else None
    captions = read_candidates(candidates)
    wanted = read_references(references, captions)
    kept = {image_id: texts for image_id, texts in wanted.items() if image_id in captions}
    if not kept:
        first, other = next(iter(captions), "none"), next(iter(wanted), "none")
        raise InputError(
            f"{candidates} and {references} share no image_id (first: {first!r} and {other!r}); "
            "use the same ids in both files"
        )
    if console is not None and len(kept) < len(wanted):
        console.print(
            f"{len(wanted) - len(kept):,} of {len(wanted):,} images with references have no candidate: skipped"
        )
    if console is not None and words == NAME and (note := _of_script(kept)):
        say(console, f"{note}; use --words characters (and train with tokenizer=sentencepiece)")
    learned = read_training(training) if training else None
    corpus = read_frequencies(frequencies) if frequencies else None
    seen = _photos(list(captions), photos, metrics, model) if photos and model else None
    return score_texts(
        captions, kept, metrics, training=learned, frequencies_of=corpus, photos=seen, clip=model, words=words
    )


def _model(name: str | None, protocol: str, console: Console | None) -> "Clip":
    from showtell.clip import DEFAULT, Clip

    return Clip(name or DEFAULT, protocol, console=console)


def _photos(image_ids: list[str], root: Path, metrics: Collection[str] | None, model: "Clip") -> dict[str, Path]:
    """The photo of each image. Raises InputError for an unreadable photo before anything is scored."""
    from showtell.data.beside import photos_of

    if not metrics or not set(SEEING) & set(chosen(metrics)):
        raise InputError(f"--photos {root}: none of the metrics uses photos; add CLIPScore to --metrics")
    check_ready(list(metrics), model)
    photos = photos_of(image_ids, root)
    model.embed_photos(list(photos.values()))
    return photos
