"""caption <-> ids. A new tokenizer is one file and one line here."""

from showtell.tokenizers.words import Words

TOKENIZERS = {"words": Words}
