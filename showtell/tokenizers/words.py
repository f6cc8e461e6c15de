"""Captions <-> words, split with spaCy's English rules, in lower case. Rare words become unk.

spaCy's blank pipeline has only rules: nothing is downloaded, and the same text always gives the same words.
"""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from showtell.plumbing.errors import InputError, RecipeError
from showtell.tokenizers import storage
from showtell.tokenizers.captions import Special, sound, without_trailing_space

PAD, BOS, EOS, UNK = "<pad>", "<bos>", "<eos>", "<unk>"
# spaCy splits "dog 's" and "t - shirt". Readers expect them joined, and so do metrics: PTB has "t-shirt" as one word.
_CLITIC = re.compile(r" (n't|'s|'re|'ll|'ve|'d|'m|'|[,.;:!?)])(?= |$)|(?<=[^\W\d_]) (-) (?=[^\W\d_])|(?<![^ ])(\() ")

# Words of plain letters that spaCy splits: "cannot" becomes "can not", "dont" becomes "do nt".
CONTRACTIONS = frozenset(
    """
    aint arent cannot cant cantve couldnt couldntve couldve darent didnt didntve doesnt doesntve dont dontve gonna
    gotta hadnt hadntve hasnt havent hed hedve hellve hes howd howdve howll howllve howre hows howve id idve illve im
    ima isnt itd itdve itll itllve ive maynt mayntve mightnt mightntve mightve mustnt mustntve mustve neednt needntve
    notve oughtnt oughtntve shant shantve shedve shellve shes shouldnt shouldntve shouldve thatd thatdve thatll
    thatllve thats thered theredve therell therellve therere theres thereve thesed thesedve thesell thesellve thesere
    theseve theyd theydve theyll theyllve theyre theyve thisd thisdve thisll thisllve thiss thosed thosedve thosell
    thosellve thosere thoseve wasnt wed wedve wellve werent weve whatd whatdve whatll whatllve whatre whats whatve
    whend whendve whenll whenllve whenre whens whenve whered wheredve wherell wherellve wherere wheres whereve whod
    whodve wholl whollve whos whove whyd whydve whyll whyllve whyre whys whyve wont wontve wouldnt wouldntve wouldve
    yall youd youdve youll youllve youre youve
    """.split()  # noqa: SIM905 - a list of them would be ten times as long
)


class Words:
    """The vocabulary: words that the captions have at least `min_count` times, at most the `max_words` most frequent.

    Ids 0 to 3 are pad, bos, eos, unk. Captions begin with `prompt`; its words must be in the vocabulary.
    """

    file_name = "tokenizer.json"

    def __init__(
        self,
        *,
        min_count: Annotated[int, Field(ge=1)] = 5,
        max_words: Annotated[int, Field(ge=1)] | None = None,
        prompt: str | None = None,
    ) -> None:
        self.min_count, self.max_words, self.prompt = min_count, max_words, without_trailing_space(prompt)
        self._set([])

    def _set(self, words: Sequence[str]) -> None:
        self.words = [PAD, BOS, EOS, UNK, *words]
        self.ids = {word: index for index, word in enumerate(self.words)}
        self.special = Special(begin=(1,), eos=2, pad=0, suppress=(0, 1, 3))

    def __len__(self) -> int:
        return len(self.words)

    def fit(self, captions: Sequence[str]) -> "Words":
        """Learn the vocabulary. Frequent words come first; equally frequent words are in alphabetical order."""
        counts = Counter(word for caption in captions for word in split(caption))
        kept = sorted(
            (word for word, count in counts.items() if count >= self.min_count), key=lambda w: (-counts[w], w)
        )
        if not kept:
            wrong = f"is {self.min_count}, but no word of {len(captions):,} captions occurs so often"
            raise InputError(wrong, key="tokenizer.min_count", value=self.min_count, advice="set a smaller number")
        self._set([word for word in kept if word not in (PAD, BOS, EOS, UNK)][: self.max_words])
        self._begin()
        return self

    def _begin(self) -> None:
        """Add the prompt after bos. Before `fit`, its words have no ids."""
        words = split(self.prompt) if self.prompt else []
        if unknown := [word for word in dict.fromkeys(words) if word not in self.ids]:
            wrong = f"is {self.prompt!r}, but the vocabulary lacks {', '.join(map(repr, unknown))}"
            advice = "use words from the captions, set a smaller tokenizer.min_count, or set tokenizer=gpt2"
            raise RecipeError(wrong, key="tokenizer.prompt", value=self.prompt, advice=advice)
        self.special = self.special._replace(begin=(1, *(self.ids[word] for word in words)))

    def encode(self, caption: str) -> list[int]:
        return [self.ids.get(word, self.ids[UNK]) for word in split(caption)]

    def decode(self, ids: Sequence[int]) -> str:
        """Readable text: clitics and punctuation join the word before them, and a hyphen joins two words.

        >>> words = Words(min_count=1).fit(["The dog's ball."])
        >>> words.decode(words.encode("The DOG's ball."))
        "the dog's ball."
        """
        silent = (self.special.pad, self.special.begin[0], self.special.eos)
        return _CLITIC.sub(r"\1\2\3", " ".join(self.words[i] for i in ids if i not in silent))

    def save(self, folder: Path) -> None:
        content = {"name": "words", "min_count": self.min_count, "words": self.words[4:]}
        content |= {"prompt": self.prompt} if self.prompt else {}
        storage.write_json(folder / self.file_name, content)

    @classmethod
    def load(cls, folder: Path) -> "Words":
        path = folder / cls.file_name
        content = storage.parse_json(path, storage.read(path))
        try:
            tokenizer = cls(**{name: content[name] for name in ("min_count", "prompt") if name in content})
            content["min_count"]  # every file has it
            tokenizer._set([*content["words"]])
        except (AttributeError, KeyError, TypeError) as error:
            raise storage.damaged(path, error) from None
        if not all(isinstance(word, str) for word in tokenizer.words) or len(tokenizer.ids) < len(tokenizer):
            raise storage.damaged(path, "its words are not a list of different words")
        try:
            tokenizer._begin()
        except RecipeError as error:
            raise storage.damaged(path, str(error)) from None
        return tokenizer


@lru_cache(maxsize=1)
def english() -> Any:
    import spacy  # takes half a second, so it is imported only when it is needed

    return spacy.blank("en").tokenizer


def split(caption: str) -> list[str]:
    """The words of a caption in lower case.

    For speed, captions of plain words skip spaCy, which would split them only at spaces.

    >>> split("Two dogs, running"), split("a dog")
    (['two', 'dogs', ',', 'running'], ['a', 'dog'])
    """
    text = sound(caption).lower().strip()
    words = text.split(" ")
    if all(word.isascii() and word.isalpha() for word in words) and CONTRACTIONS.isdisjoint(words):
        return words
    return [token.text for token in english()(text) if not token.is_space]
