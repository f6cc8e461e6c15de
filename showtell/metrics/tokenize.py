r"""Captions -> words as coco-caption counts them: Stanford's PTBTokenizer (3.4.1), lower case, punctuation dropped.

A table of rules. At each character every rule is tried and the one that reads furthest wins, the earlier one where two
read equally far; what a rule must see behind its token counts as read, but is not taken. The rules were found by asking
the Java program what it does with texts, not by reading its source.

Unusual: coco-caption drops punctuation by comparing with upper-case `-LRB-` after lower-casing, so brackets stay as
`-lrb-`; and a telephone number or `1 1/2` is one token with a no-break space inside, which BLEU and CIDEr cut in two
and ROUGE-L does not. So `tokenize` returns a string, tokens one space apart, that each metric cuts as its model does.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

NAME = "ptb"
DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])

# An abbreviation keeps its period, and so does a single letter.
ABBREVIATIONS = """
    adj adm adv al ala alex apr ariz assn assoc asst atty attys aug ave bhd bldg blvd brig bros calif capt cf cie cmdr
    co col colo comdr conn corp cos cpl ct dak dec dept det dr drs elec ens esq est etc ext feb fla fri ft ga gen gov
    govs hon inc ind insp intl invt jan jos jr jul jun kan kans ky lieut lt ltd maj mar md messrs mfg mich minn mlle
    mme mo mon mont mr mrs ms msgr mt mtg natl neb nev nov oct okla penn pfc ph plc ppte pptes ppty pptys pres prof
    profs pte ptes pty ptys pvt rd rep reps rev rt sen sens sep sept seq sfc sgt spc sq sr st ste supt supts sys tel
    tenn thu thurs treas tue tues univ va vs vt wed wis wisc wm wyo
"""
CAPITAL_ABBREVIATIONS = "Ark Az Del Ill La Mass Miss Ore Pa Tex Wash"  # else a word: `Miss.`, but `a miss .`
BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"  # `no. 5`, but `no .`
# A single letter before one of these ends its sentence: `plan B. The` is `plan b the`, `plan B. My` is `plan b. my`.
STARTERS = """
    A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now Once One
    Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You
"""
SUFFIXES = """
    bat bmp c class cpp dll doc exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php png ppt ps py sql tar txt wav
    xml zip
"""


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


def _capital(words: str) -> str:
    return _any(" ".join(f"(?-i:{word[0]}){word[1:]}" for word in words.split()))


# Letters are those of Unicode's first plane and common combining marks; ½, Ⅷ and ² are not.
_NEITHER = r"\W_²³¹¼-¾⁰-₉⅐-↉①-⒛⓪-⓿❶-➓\U00010000-\U0010ffff"
_MARKS = r"[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065e\u0900-\u0939\u093c-\u094e]"
LETTER = rf"(?:[^\d{_NEITHER}]|{_MARKS})"
ALNUM = rf"(?:[^{_NEITHER}]|{_MARKS})"
# Java leaves these out: control characters, what Unicode 6 lacked or the program forgot, and all emoji.
UNREADABLE = (
    r"\x00-\x1f\x7f\x81-\x90\x95\x98-\xa0\u200b-\u2012\u2024\u2025\u2027-\u202f\u203c\u203d\u2043\u2045-\u206f"
    r"\u20a1-\u20a3\u20a5-\u20ab\u20ad-\u20f0\u2150-\u2152\u215f-\u218b\u3003-\u3011\u3013-\u3020"
    r"\ufe00-\ufe0f\ufeff\ufff9-\ufffd\U00010000-\U0010ffff"
)
SPACE = r"[\t \xa0\u2000-\u200a\u3000]"
GAP = r"[ \xa0]"
Q = "['’]"
ANY_Q = "['’‘`]"
SHORT = r"(?:'(?:ll|re|ve|[smd])(?![a-z])|’(?:ll|re|ve|[smd]))"
NOT = f"n{ANY_Q}t"
_PART = rf"(?:[dlo]{ANY_Q}{ALNUM}{ALNUM}+|{ALNUM}+)"
WORD = rf"{_PART}(?:[-_‐‑]{_PART})*"
SIDE = "[a-z0-9]+(?:-[a-z]+)*"
DOTTED = rf"{LETTER}{ALNUM}*(?:[.?!]{LETTER}{ALNUM}*)+"
FIRM = r"(?-i:[A-Z]+(?:(?:&|&amp;|\+)[A-Z]+)+)"
TAG_NAME = r"[a-z][a-z\d_:.-]*"
ATTRIBUTE = rf"\s+{TAG_NAME}(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'))?"
IN_URL = r'[^\s"<>|(){}]'
ENDS_URL = r'[^\s"<>|(){}.,!?-]'
PATH = rf"(?:/{IN_URL}+{ENDS_URL})?"
MAIL = r'[a-z0-9][^\s"<>|(){}]*@(?:[^\s"<>|(){}.]+\.)*[^\s"<>|(){}.]+'
AREA = rf"(?:\d{{2,4}}[- \xa0]|\(\d{{2,4}}\){GAP}?)"

# What a rule reads -> its pattern. A group is the token, where the rule must see more than it takes.
RULES = {
    "<br/>": rf"<{TAG_NAME}(?:{ATTRIBUTE})*\s*/?\s*>|</{TAG_NAME}\s*>|<[!?][a-z-][^>]*>",
    "&amp;": r"&(?:amp|lt|gt|quot|apos|nbsp|mdash|ndash|#\d+|[a-z](?:acute|grave|circ|uml|tilde|cedil));",
    # Words with an apostrophe, and words that hide two.
    "can not": "(can)not|(gon)na|(got)ta|(gim)me|(lem)me|(wan)na",
    "'t is": "('t)(?:is|was)",
    "do n't": f"([a-z]*[a-mo-z]){NOT}",
    "n't": NOT,
    "it 's": f"({WORD}){SHORT}",
    "'s": SHORT,
    "'em": rf"{Q}(?:em|till|til|cause|n{Q}|n(?={SPACE}|$))|’n|dunkin{Q}|somethin{Q}|ol{Q}(?!ll|re|ve|[smd])",
    "'90s": rf"{Q}[2-9]0s|{Q}\d\d(?={SPACE}|$)",
    "hawai'i": rf"{LETTER}+[aeiouy]{ANY_Q}(?-i:[aeiouA-Z])[a-z]*",
    "n'est": rf"(?:n|(?-i:[A-HJ-XZ])){ANY_Q}{LETTER}{{2,}}",
    "ma'am": f"(?:cap{Q}n|c{Q}est|c{Q}mon|ev{Q}ry|e{Q}er|li{Q}l|ma{ANY_Q}am|nat{Q}l|nor{Q}easter|o{Q}o|s{Q}mores)",
    "d'": rf"[dlj]{Q}(?!ll|re|ve|[smd])",
    "y' all": rf"(y{Q})(?!ll|re|ve|[smd])[a-z]",
    # Words.
    "blue-green": WORD,
    "red/white": f"{SIDE}(?:/{SIDE}){{1,2}}",
    "it.The": DOTTED,
    "dog. ,": rf"((?:{WORD}|{FIRM}|{DOTTED})\.)[,;:]",
    "U.S.-led": r"[a-z0-9]+(?:[.,][a-z0-9]*)*(?:-[a-z0-9]+)+",
    "U.S.": r"[a-z](?:\.[a-z])+\.?|(?:ph|ed)\.d\.",
    "Mr.": rf"(?:{_any(ABBREVIATIONS)}|{_capital(CAPITAL_ABBREVIATIONS)}|[a-z])\.",
    "no. 5": rf"({_any(BEFORE_NUMBERS)}\.){SPACE}?\d",
    "B . The": rf"([a-z])\.{SPACE}+{_capital(STARTERS)}{SPACE}",
    "AT&T": FIRM,
    "C++": r"c\+\+|[cf]#",
    "US$": r"(?-i:[A-Z]+)\$",
    # Addresses.
    "http://a.b": f"https?://{IN_URL}+{ENDS_URL}",
    "www.a.b": rf"www\.(?:[^\s\"<>|(){{}}.,!?]+\.)+[a-z]{{2,4}}{PATH}",
    "a.com/b": rf"(?:[a-z][^\s\"`'<>|(){{}}.,!?_$-]*\.)+(?:com|net|org|edu){PATH}",
    "a@b.c": f"<?{MAIL}>?",
    "@name": "@[a-z_][a-z0-9_]*",
    "#name": rf"#{LETTER}+",
    "1.jpg": rf"({ALNUM}+(?:\.{ALNUM}+)*\.{_any(SUFFIXES)})(?!{ALNUM})",
    # Numbers.
    "1,000.5": r"[-+]?\d*(?:[.:,]\d+)+|[-+]?\d+",
    "1 1/2": rf"(?:\d{{1,4}}(?:-|{GAP}))?\d{{1,4}}[/⁄]\d{{1,4}}",
    "020 7946 0958": rf"(?:\+?\d{{2,4}}[- \xa0])?{AREA}\d{{3,4}}[- \xa0]?\d{{3,5}}",
    # Signs.
    ":-)": rf"([<>]?[:;=][-o*']?(?-i:[()DdPpO\\{{@|[\]]))(?!{ALNUM})",
    "^_^": r"([<>=x^'-]_[<>=x^'-]|\([<>=x^'-]_[<>=x^'-]\))",
    "...": r"\.{3,}|\.(?: \.){2}|-{5,}|-{2,4}|[!?]{2,}|\*+|#+|@+|_+|<<|>>|''|[`‘’“”]{2}|\\[*/]",
    "sign": f"[^\\s{UNREADABLE}]",
}
_COMPILED = [re.compile(pattern, re.IGNORECASE) for pattern in RULES.values()]

# How a token is written. All that is dropped anyway (quotes, dashes, dots) is written as a period.
WRITTEN = (
    dict(zip("()[]{}", ["-lrb-", "-rrb-", "-lsb-", "-rsb-", "-lcb-", "-rcb-"], strict=True))
    | dict(zip("£€¤₠\x80¢", ["#", "$", "$", "$", "$", "cents"], strict=True))
    | dict(zip("¼½¾⅓⅔", ["1/4", "1/2", "3/4", "1/3", "2/3"], strict=True))
    | {"&lt;": "<", "&gt;": ">"}
    | dict.fromkeys(
        ["&quot;", "&apos;", "&nbsp;", "&mdash;", "&ndash;", *'"“”«»‘’‛‹›–—―…\x91\x92\x93\x94\x96\x97'], "."
    )
)
_NEWLINE = re.compile(r"[\n\r\v\f\x85\u2028\u2029]")
_DROPPED_SIGN = re.compile(r"[. ]+|-{1,4}")
_QUOTES = re.compile("[`‘’“”]{2}")
_SHORT = re.compile(f"{SHORT}|{NOT}", re.IGNORECASE)
# Most words need no table: letters between spaces, perhaps before one comma or period, that no rule above names.
_PLAIN = re.compile(r"(?:([A-Za-z]{2,})[.,]|([A-Za-z]+)(?: [.,])?)(?: +|$)")
_NOT_PLAIN = frozenset(
    f"cannot gonna gotta gimme lemme wanna {ABBREVIATIONS} {CAPITAL_ABBREVIATIONS} {BEFORE_NUMBERS}".lower().split()
)


@lru_cache(maxsize=1 << 17)  # references are scored again after every epoch
def tokenize(caption: str) -> str:
    """The caption's tokens, one space apart; newlines are spaces, characters that Java cannot read are left out.

    >>> tokenize("A man's T-shirt (red/white), isn't it?")
    "a man 's t-shirt -lrb- red/white -rrb- is n't it"
    """
    text = _NEWLINE.sub(" ", caption).replace("\xad", "")
    return " ".join(token for token in _tokens(text) if token not in DROPPED)


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        plain = _PLAIN.match(text, at)
        if plain and (word := (plain[1] or plain[2]).lower()) not in _NOT_PLAIN:
            yield word
            at = plain.end()
        else:
            end, read = _longest(text, at)
            if read:
                yield _written(text[at:end])
            at = end


def _longest(text: str, at: int) -> tuple[int, bool]:
    """Where the token that starts at `at` ends, and whether it is one, not a space or a character to leave out."""
    furthest, end = at, at + 1
    for rule in _COMPILED:
        match = rule.match(text, at)
        if match and match.end() > furthest:
            furthest, end = match.end(), match.end(match.lastindex or 0)
    return end, furthest > at


def _written(token: str) -> str:
    token = token.lower()
    if token in WRITTEN:
        return WRITTEN[token]
    if _DROPPED_SIGN.fullmatch(token):
        return "."
    if _SHORT.fullmatch(token) or _QUOTES.fullmatch(token):
        return token.replace("’", "'").replace("‘", "`").replace("“", "``").replace("”", "''")
    token = token.replace("(", "-lrb-").replace(")", "-rrb-").replace("&amp;", "&")
    return re.sub(r"\s", "\xa0", token)
