"""Several trained captioners as one: each word by the mean of their probabilities, with any strategy of decoding.

Its folder holds `recipe.yaml` and copies of the members, each a saved captioner, so that it can go anywhere. Members
may have any encoders and decoders, but their tokenizer files are byte-equal: an id is the same word for all.
"""

from collections.abc import Sequence
from pathlib import Path

from showtell import checkpoint
from showtell.captioners.hub import folder_of
from showtell.captioners.mean import MeanDecoder
from showtell.captioners.neural import Neural
from showtell.encoders.encoder import Encoder
from showtell.encoders.joined import Joined
from showtell.plumbing.errors import InputError, RecipeError
from showtell.recipe.check import check
from showtell.settings.text import Recipe

FROM_FIRST = ("data", "decode", "evaluate")  # and the views: what a new ensemble's recipe takes from its first member


class Ensemble(Neural):
    """A neural captioner whose parts are those of its members, which stay whole."""

    name = "ensemble"

    def __init__(self, members: Sequence[Neural], recipe: Recipe) -> None:
        sights = [_sight(member) for member in members]
        encoders: dict[str, Encoder] = {}
        for sight, member in zip(sights, members, strict=True):
            member.encoder = encoders.setdefault(sight, member.encoder)
        decoder = MeanDecoder([member.decoder for member in members], [[*encoders].index(sight) for sight in sights])
        encoder = members[0].encoder if len(encoders) == 1 else Joined([*encoders.values()])
        super().__init__(encoder, decoder.eval(), members[0].tokenizer, recipe)
        self.members = list(members)

    @property
    def manner(self) -> str:
        seeds = ",".join(str(member.recipe["train"]["seed"]) for member in self.members)
        return f"mean of {len(self.members)} (seeds {seeds}): {super().manner}"

    @property
    def chosen_by(self) -> str | None:
        return "/".join(dict.fromkeys(str(member.chosen_by) for member in self.members))

    @property
    def parts(self) -> str:
        return "an ensemble of " + "; ".join(member.parts for member in self.members)

    def save_files(self, folder: Path, *, half: bool = False) -> None:
        for name, member in zip(self.recipe["captioner"]["members"], self.members, strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            member.save_files(folder / name, half=half)
        checkpoint.write_recipe(folder, self.recipe)  # last: all there

    @classmethod
    def read(cls, recipe: Recipe, folder: Path) -> "Ensemble":
        folders = [folder / name for name in recipe["captioner"]["members"]]
        return cls(_read_members(folders), recipe)


def make_ensemble(runs: Sequence[str | Path], run: Path) -> Ensemble:
    """Copy trained captioners, run folders or ids of the Hub, into an ensemble in the folder `run`.

    Raises InputError where `run` exists, a run is none of captioner 'neural', or their tokenizers differ.
    """
    if len(runs) < 2:
        raise InputError("an ensemble takes two runs or more")
    if run.exists():
        raise InputError(f"{run} exists; name another folder with --run")
    members = _read_members([folder_of(name) for name in runs])
    ensemble = Ensemble(members, recipe_of(members[0].recipe, len(members)))
    try:
        ensemble.save_pretrained(run)
    except OSError as error:
        raise InputError(f"{run} cannot hold an ensemble: {error.strerror}; name another with --run") from None
    return ensemble


def recipe_of(first: Recipe, count: int) -> Recipe:
    """The recipe of an ensemble of so many members, by that of its first."""
    members = [f"members/{number}" for number in range(1, count + 1)]
    captioner = {"name": Ensemble.name, "members": members, "views": first["captioner"]["views"]}
    sections = {section: first[section] for section in FROM_FIRST}
    return check({**sections, "captioner": captioner, "train": {"seed": first["train"]["seed"]}})


def _read_members(folders: Sequence[Path]) -> list[Neural]:
    """Checked before any is built: that costs seconds each."""
    recipes = [check(checkpoint.read_recipe(folder)) for folder in folders]
    for recipe, folder in zip(recipes, folders, strict=True):
        if (name := recipe["captioner"]["name"]) != Neural.name:
            raise RecipeError(f"{folder} holds captioner {name!r}; an ensemble takes runs of captioner 'neural'")
    words = [_tokenizer_files(folder) for folder in folders]
    for folder, files in zip(folders, words, strict=True):
        if files != words[0]:
            raise InputError(
                f"{folders[0]} and {folder} have other tokenizers: {', '.join(words[0])} and {', '.join(files)} differ"
                ", so an id means two words; train both on the same captions with the same tokenizer section"
            )
    return [Neural.read(recipe, folder) for recipe, folder in zip(recipes, folders, strict=True)]


def _tokenizer_files(folder: Path) -> dict[str, bytes]:
    try:
        return {path.name: path.read_bytes() for path in sorted(folder.glob("tokenizer.*"))}
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}") from None


def _sight(member: Neural) -> str:
    """What two members share whose encoders give the same features of every photo: one of these is enough."""
    encoder = member.encoder
    unlike = id(encoder) if encoder.trains else encoder.fingerprint
    return f"{unlike} {member.recipe['encoder']} {member.recipe['regions']}"
