r"""The rules of Stanford's PTBTokenizer (3.4.1), found by asking the Java program what it does with texts.

The rules read kinds of characters (see `characters`), so `[a-zª]` matches any letter. If a rule must read more than its
token, a group marks the token: `(can)not` reads `cannot` and makes the token `can`. No rule was copied from the
program's source.
"""

import re
from functools import cache

# Abbreviations and single letters keep their period. These may also end a sentence, so `etc.a` becomes `etc. a`.
ENDING = """
    al ala apr ariz assn aug bhd bldg blvd bros calif co colo conn corp cos ct dak dec esq est etc ext feb fla fri ga
    inc ind intl jan jr jul jun kan kans ky ltd mar md mich minn mo mon mont neb nev nov oct okla penn plc rd rt sep
    sept seq sq sr sys tel tenn thu thurs tue tues univ va vt wed wis wisc wyo ph.d ed.d
"""
ENDING_CAPITAL = "Ark Az Del Ill La Mass Miss Ore Pa Tex Wash"  # only with a capital: `Miss.`, but `a miss .`
ENDING_NOT_ALL_CAPITALS = "ppte pptes ppty pptys pte ptes pty ptys"
# These do not end a sentence: `st.a` stays one word.
LEADING = """
    adj adm adv alex assoc asst atty attys ave brig capt cf cie cmdr col comdr cpl dept det dr drs elec ens ft gen gov
    govs hon insp invt jos lieut lt maj messrs mlle mme mr mrs ms msgr mt natl pfc ph pres prof profs pvt rep reps rev
    sen sens sfc sgt spc st ste supt supts treas vs wm
"""
LEADING_NOT_ALL_CAPITALS = "mfg mtg"
BEFORE_NUMBERS = "art ca fig figs no nos op pp prop"  # keep their period only before a number: `no. 5`, but `no .`
# Words that some rule names. A word of letters that is not among them needs no rule.
NAMED = frozenset(
    f"cannot gonna gotta gimme lemme wanna {ENDING} {ENDING_CAPITAL} {ENDING_NOT_ALL_CAPITALS} {LEADING} "
    f"{LEADING_NOT_ALL_CAPITALS} {BEFORE_NUMBERS}".lower().split()
)
# A single letter before one of these ends a sentence, so its period is dropped: `plan B. The` becomes `plan b the`, but
# `plan B. My` becomes `plan b. my`.
STARTERS = """
    A About According Additionally After An As At But Earlier He Her Here However If In It Last Many More Now Once One
    Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You
"""
SUFFIXES = """
    bat bmp c cgi class cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py sql
    tar txt wav x xml zip
"""


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


def _capital(words: str) -> str:
    return _any(" ".join(f"(?-i:{word[0]}){word[1:]}" for word in words.split()))


def _not_all_capitals(words: str) -> str:
    return _any(" ".join(f"{word[0]}(?-i:{word[1:]})" for word in words.split()))


DIGIT = "[0-9٠]"
LETTER = "[a-zª]"
ENTITY = "&[aeiou](?:acute|grave|uml);"
MARKED = f"(?:[a-zª\u0300\xad]|{ENTITY})"  # a letter or a combining mark; words with a hyphen have no marks
ALNUM = "[a-z0-9ª٠]"
ANY = f"(?:[a-z0-9ª٠\u0300\xad]|{ENTITY})"
SPACE = "[\t \xa0\u2000]"
GAP = "[ \xa0]"
Q = "(?:['’]|&apos;)"
ANY_Q = "(?:['’‘`]|&apos;)"
SHORT = r"(?:'(?:ll|re|ve|[smd])(?![a-z])|(?:’|&apos;)(?:ll|re|ve|[smd]))"
NOT = f"n{ANY_Q}t"
_PART = rf"(?:[dlo]{ANY_Q}{ALNUM}[a-z0-9ª٠\xad]+|{ALNUM}[a-z0-9ª٠\xad]*)"
HYPHENED = rf"{_PART}(?:[-_‐]{_PART})*"
WORD = rf"(?:{HYPHENED}|{MARKED}{ANY}*)"
SIDE = "[a-z0-9]+(?:-[a-z]+){0,2}"
DOTTED = rf"{MARKED}{ANY}*(?:[.?!]{MARKED}{ANY}*)+"
FIRM = r"(?-i:[A-Z]+)(?:(?:&amp;|&|\+)(?-i:[A-Z]+))+"
THING = r"(?=[a-z0-9.,]+-)[a-z0-9]+(?:[.,][a-z0-9]*)*(?:-(?:(?:[a-z]\.){2,}|[a-z0-9]+))+"
TAG_NAME = r"[a-z][a-z0-9_:.-]*"
ATTRIBUTE = rf" +{TAG_NAME}(?: *= *(?:\"[^\"]*\"|'[^']*'))?"
IN_URL = r'[^ \t\n"<>|(){}]'
ENDS_URL = r'[^ \t\n"<>|(){}.,!?-]'
PATH = rf'(?:/[^ \t\n"<>|()]+{ENDS_URL})?'
LABEL = r"(?-i:[^ \t\n\"'`<>|(){}.!?$,-_]+)"  # the range `,-_` also excludes capitals and digits
MAIL = r'[a-z0-9][^ \t\n\xa0"<>|(){}]*@(?:[^ \t\n\xa0"<>|(){}.]+\.)*[^ \t\n\xa0"<>|(){}.]+'
TAG = rf"(?:<{TAG_NAME}(?:{ATTRIBUTE})* */? *>|</{TAG_NAME} *>|<[!?][a-z-][^>]*>)"
AREA = rf"(?:{DIGIT}{{2,4}}[- \xa0]|\({DIGIT}{{2,4}}\){GAP}?)"

# An example of what a rule reads -> its pattern.
RULES = {
    "<br/>": TAG,
    "&amp;": r"&(?:amp|lt|gt|quot|apos|nbsp|[mn]dash|#[0-9]+|md|ht|lr|q[clr]|tl|ur|[co]dq);",
    # Words with an apostrophe, and words that are two: `cannot`.
    "can not": "(can)not|(gon)na|(got)ta|(gim)me|(lem)me|(wan)na",
    "'t is": "('t)(?:is|was)",
    "do n't": f"([a-z]*[a-mo-z]){NOT}",
    "n't": NOT,
    "it 's": f"({WORD}|{DOTTED}){Q}(?:ll|re|ve|[smd])",
    "'s": SHORT,
    "'em": rf"{Q}(?:em|till|til|cause|n{Q}|n(?={SPACE}|$))|(?:’|&apos;)n|dunkin{Q}|somethin{Q}|ol{Q}(?!ll|re|ve|[smd])",
    "'90s": rf"{Q}[2-9]0s|{Q}{DIGIT}{{2}}(?={SPACE}|$)",
    "hawai'i": rf"{LETTER}+[aeiouy]{ANY_Q}(?-i:[aeiouA-Z]){LETTER}*",
    "n'est": rf"(?:n|(?-i:[A-HJ-XZ])){ANY_Q}{LETTER}{{2,}}",
    "ma'am": "(?:cap['’]n|c['’]est|c['’]mon|ev['’]ry|e['’]er|li['’]l|nat['’]l|nor['’]easter|o['’]o|s['’]mores)"
    f"|ma{ANY_Q}am",
    "d'": rf"[dlj]{Q}(?!ll|re|ve|[smd])",
    "y' all": rf"(y{Q})(?!ll|re|ve|[smd])[a-z]",
    # Words.
    "blue-green": HYPHENED,
    "cafe\u0301": f"{MARKED}{ANY}*",
    "red/white": rf"{SIDE}(?:\\?/{SIDE}){{1,2}}",
    "it.The": DOTTED,
    "a@b.c": f"(?:<|&lt;)?{MAIL}(?:>|&gt;)?",
    "etc. a": rf"((?:{_any(ENDING)}|{_capital(ENDING_CAPITAL)}|{_not_all_capitals(ENDING_NOT_ALL_CAPITALS)})\.)"
    r"(?s:.{0,2})",
    "dog. ,": rf"((?:{WORD}|{FIRM}|{DOTTED}|{THING})\.)[,;:、]",
    "U.S.-led": THING,
    "U.S.": r"[a-z](?:\.[a-z])+\.?",
    "Pty. Ltd.": r"(pt[ye]\.) ltd",
    "Mr.": rf"(?:{_any(LEADING)}|{_not_all_capitals(LEADING_NOT_ALL_CAPITALS)}|[a-z])\.",
    "no. 5": rf"({_any(BEFORE_NUMBERS)}\.){SPACE}?{DIGIT}",
    "B . The": rf"([a-z])\.{SPACE}+(?:{_capital(STARTERS)}|(?-i:M)[rs]\.|{TAG})\s",
    "AT&T": FIRM,
    "-lrb-": "-[lr][rcs]b-",
    "C++": r"c\+\+|[cf]#",
    "US$": r"(?-i:[A-Z]+)\$",
    # Addresses.
    "http://a.b": f"https?://{IN_URL}+{ENDS_URL}",
    "www.a.b": rf"www\.(?:[^ \t\n\"<>|(){{}}.,!?]+\.)+[a-z]{{2,4}}{PATH}",
    "a.com/b": rf"(?:{LABEL}\.)+(?:com|net|org|edu){PATH}",
    "@name": "@[a-z_][a-z0-9_]*",
    "#name": rf"#{MARKED}+",
    "1.jpg": rf"({ANY}+(?:\.{ANY}+)*\.{_any(SUFFIXES)})[\s.,!?]",
    # Numbers.
    "1,000.5": rf"[-+]?{DIGIT}*(?:[.:,٫]{DIGIT}+)+|[-+]?{DIGIT}+",
    "1 1/2": rf"(?:{DIGIT}{{1,4}}(?:-|{GAP}))?{DIGIT}{{1,4}}(?:\\?/|⁄){DIGIT}{{1,4}}",
    "1/2-35": rf"{DIGIT}{{1,2}}/{DIGIT}{{1,2}}-{DIGIT}{{2,4}}",
    "020 7946 0958": rf"(?:\+?{DIGIT}{{2,4}}[- \xa0])?{AREA}{DIGIT}{{3,4}}[- \xa0]?{DIGIT}{{3,5}}",
    "²³": "⁺?²+|₊?₂+",
    # Signs.
    ":-)": r"([<>]?[:;=](?-i:[-o*'])?(?-i:[()DdPpO\\{@|[\]]))(?![a-z0-9])",
    "^_^": r"([<>=x^'~-]_[<>=x^'~-]|\([<>=x^'~-][_.-]?[<>=x^'~-]\))",
    "...": r"\.{3,5}|\.(?: \.){2}|-{5,}|-{2,4}|[!?]{2,}|\*+|#+|@+|_+|<<|>>|(?:\\\*)+",
    "``": "''|``|[`‘’‹›“”‚][‘’‹›“”‚]|[‘’‹›“”‚]`",
    "sign": "[^\\s\x81٫‐]",
}


@cache
def compiled() -> list[re.Pattern[str]]:
    """The rules, compiled on first use: it takes 20 ms, and captioning needs none of them."""
    return [re.compile(pattern, re.IGNORECASE) for pattern in RULES.values()]


# Rules that read far before they fail -> what a text must contain; without it the rule need not be tried.
NEEDS = {
    "a@b.c": re.compile("@"),
    "dog. ,": re.compile(r"\.[,;:、]"),
    "U.S.-led": re.compile("-"),
    "a.com/b": re.compile(r"\.(?:com|net|org|edu)", re.IGNORECASE),
}

# How signs are written. Signs that are dropped later (quotes, dashes, dots) become a period.
WRITTEN = (
    dict(zip("()[]{}", ["-lrb-", "-rrb-", "-lsb-", "-rsb-", "-lcb-", "-rcb-"], strict=True))
    | dict(zip("£¤¢", ["#", "$", "cents"], strict=True))
    | dict(zip("¼½¾⅓⅔", ["1/4", "1/2", "3/4", "1/3", "2/3"], strict=True))
    | {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": ".", "&apos;": ".", "&nbsp;": ""}
    | dict.fromkeys(["&mdash;", "&ndash;", "&md;", *'"“”‘’‹›–…'], ".")
)
ANY_CASE = frozenset(["&amp;", "&lt;", "&gt;", "&nbsp;", "&mdash;", "&ndash;", "&md;"])
SPACES = re.compile(f"{SPACE}+")
DROPPED_SIGN = re.compile(r"[. ]+|-{1,4}")
QUOTES = re.compile("[`‘’‹›“”‚]{2}")
ASCII_QUOTES = str.maketrans({"’": "'", "›": "'", "‘": "`", "‹": "`", "“": "``", "”": "''"})
ELIDED = re.compile(f"{SHORT}|{NOT}", re.IGNORECASE)
COMPANY = re.compile(FIRM, re.IGNORECASE)
HIDDEN_HYPHEN_STAYS = re.compile("[@#/:]")  # soft hyphens are removed from other words
