"""A chatty answer -> a caption: the first line that says something, without roles, boilerplate and quotes."""

import re
from collections.abc import Sequence

THOUGHTS = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)
ENDS = re.compile(r"<\|?(?:im_end|endoftext|end_of_utterance|eot_id|end_of_turn|end)\|?>|</s>")
PICTURE = r"(?:image|photo|photograph|picture)"
BEGINNINGS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\**(?:assistant|model|ai|bot|caption|answer|description|sentence)\s*:\**\s*",
        r"(?:sure|certainly|of course|okay)\s*[,.!:]\s*",
        r"here(?:'s|’s| is) (?:a|an|one|the|your)\b[^:.]*:\s*",
        rf"(?:the|this) {PICTURE} (?:shows|depicts|features|captures|displays|presents|contains|is of|describes)\s+",
        rf"(?:this|it|here)(?: is|'s|’s) an? {PICTURE} (?:of|that shows|showing)\s+",
        rf"in (?:the|this) {PICTURE}, (?:there (?:is|are)|(?:you|we)(?: can)? see)\s+",
        r"[*#>\-•]+\s+",
    )
]
QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "`": "`", "**": "**", "*": "*"}


def clean(answer: str, strip: Sequence[str] = (), stop: Sequence[str] = ()) -> str:
    """`strip` are more beginnings to take away, and the answer ends before the first of `stop`, in any case of letters.

    >>> clean("Assistant: Sure! Here's a caption:\\n\\n\\"The image shows a dog on a beach.\\"\\nI hope this helps!")
    'a dog on a beach.'
    >>> clean("a cat </s> user: and now?"), clean("In short, a cat. Thank you", strip=["in short,"], stop=["thank"])
    ('a cat', 'a cat.')
    """
    text = cut(THOUGHTS.sub("", answer), stop)
    if end := ENDS.search(text):
        text = text[: end.start()]
    for line in text.splitlines():
        if caption := _without_beginnings(" ".join(line.split()), strip):
            return caption
    return ""


def cut(text: str, stop: Sequence[str]) -> str:
    places = [place for word in stop if (place := text.lower().find(word.lower())) >= 0]
    return text[: min(places)] if places else text


def _without_beginnings(line: str, strip: Sequence[str]) -> str:
    """Again and again, since they stand in a row: `Assistant: Sure! The image shows a dog`."""
    while True:
        shorter = line
        for pattern in BEGINNINGS:
            shorter = pattern.sub("", shorter, count=1) if pattern.match(shorter) else shorter
        for word in strip:
            if word and shorter.lower().startswith(word.lower()):
                shorter = shorter[len(word) :].lstrip()
        shorter = _unquoted(shorter)
        if shorter == line:
            return line
        line = shorter


def _unquoted(line: str) -> str:
    for begin, end in QUOTES.items():
        inner = line[len(begin) : -len(end)]
        if line.startswith(begin) and line.endswith(end) and inner and begin not in inner:
            return inner.strip()
    return line
