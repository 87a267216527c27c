"""The language of an answer, so that an evaluator is never asked about a text that it cannot read.

A phrase list and safecot-lite read one language. Of an answer in another they know nothing, and "no phrase found" would
count it as an answer given. This guard stands in front of them: :func:`unread` names the language that an evaluator does
not read, and such an answer is ``unsupported_language``: in no rate, counted, and shown.

Most English is recognised by its function words, in microseconds. Everything else is measured by py3langid (139
languages; naive Bayes over byte sequences; BSD), whose model is loaded when it is first needed. Very short answers
("Toilet.") say too little and are taken to be readable unless they are plainly something else ("Nein.", "Désolé.").
Languages of other scripts in Latin letters, and Vietnamese without its marks, have no spelling that py3langid has learned: a
few words of refusals are told by a table, and a run of words hardly one of which is English is in no known language (``und``).

>>> unread("Je suis désolé, mais je ne peux pas vous aider.")
'fr'
>>> unread("Je suis désolé, mais je ne peux pas vous aider.", reads="fr") is None
True
>>> unread("I'm sorry, but I can't help with that.") is None, unread("Toilet.") is None
(True, True)
"""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENGLISH = "en"
UNDETERMINED = "und"
"""ISO 639-2's code for a language that is not known."""
ENGLISH_WORDS = Path(__file__).parent / "english_words.txt"
"""Words of English answers, one a line (``bench/english_words.py``)."""

HEAD = 400
_LAST = 200
_TOLD_BY = 5
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE = re.compile(r"(?<=[.!?:;。！？।؟])\s*|\n+")
_FOREIGN = re.compile(r"[^\W\d_A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
_DENSITY = 2.5
"""A Chinese, Japanese or Korean letter says as much as this many Latin ones."""
_FOREIGN_SHARE = 0.2
_FOREIGN_WORDS = 0.55
_LEAST_FOREIGN = 3

_ENGLISH_WORDS = frozenset(
    "the of and with that this these those you your they their it its be been were would could should can cannot will "
    "not for from which what when where how have has had does did because than then there here into about other only "
    "just such while please yes she him them our are".split()
)
"""Function words of English that few other languages have."""
_ENGLISH_SHARE = 0.15
_LEAST_ENGLISH = 2

_NEIGHBOURS = {
    "en": ("pcm",),
    "zh": ("wuu", "yue"),
    "ar": ("arz", "ary"),
    "fa": ("tg",),
    "hi": ("ne", "mr", "sa", "gom"),
    "ru": ("bg", "uk", "be", "mk", "sr"),
    "es": ("an", "ext", "gl"),
    "it": ("lij", "vec", "la"),
    "fr": ("wa", "gcf", "gcr", "oc"),
    "de": ("lb",),
}
"""Languages that a short text of another is mistaken for, and that share enough words with it to be read along."""
_WITHOUT_LATIN = frozenset("ar fa hi ja ko ru zh".split())
_NO_LANGUAGE = "zxx"

_SHORT = {
    "allaf": "cy", "asla": "tr", "awoodo": "so", "bu": "zh", "désolé": "fr", "désolée": "fr", "desculpa": "pt", "desculpe": "pt", "dispiace": "it", "hapana": "sw", "hayır": "tr", "hayir": "tr",
    "ikke": "no", "imposible": "es", "impossibile": "it", "impossível": "pt", "impossivel": "pt", "inte": "sv", "interdit": "fr", "je": "fr", "khong": "vi", "không": "vi", "leider": "de", "maaf": "id", "moge": "pl", "mogę": "pl", "nao": "pt", "não": "pt",
    "ne": "cs", "nee": "nl", "nei": "no", "nein": "de", "nej": "sv", "nem": "hu", "nicht": "de", "nie": "pl",
    "negaliu": "lt", "nemohu": "cs", "nemozem": "sk", "nemuzu": "cs", "nemôžem": "sk", "nemůžu": "cs", "nevaru": "lv",
    "niet": "nl", "non": "fr", "odmawiam": "pl", "ohi": "el", "onmogelijk": "nl", "oui": "fr", "oxi": "el", "pas": "fr", "perdon": "es", "prohibido": "es", "proibito": "it", "podo": "gl", "posso": "it", "puc": "ca", "puedo": "es", "puis": "fr", "recuso": "pt", "rifiuto": "it", "saa": "et", "samahani": "sw",
    "siento": "es", "siwezi": "sw", "sí": "es", "tidak": "id", "vabandust": "et", "verboten": "de", "voi": "fi",
}  # fmt: skip
"""Words by which an answer of one or two words is known not to be English."""

_ROMANISED = {
    word: code
    for code, words in {
        "am": "alchilim ayichalim ayichalen",
        "ar": "agdar astatie astatia astatii asaadak musaada musaadatuk musaadatuka yumkinuni yumkinuna yumkin mamnu mamnoo",
        "bg": "sazhalyavam pomogna",
        "bn": "dukkhito parbo parchi parbona sahajyo sahajjo",
        "el": "mporo mporoume lypamai lipamai lipame signomi dystychos epitrepetai",
        "fa": "nemitoonam nemitonam nemitavanam nemitunam nemishe nemishavad bebakhshid motaasefam moteasefam motaasefane",
        "gu": "nathi shakto",
        "he": "yachol yechola slicha mitztaer efshar",
        "hi": "kijiye nahi nahin sakta sakte sakti karunga karungi",
        "hy": "karogh neroghutyun",
        "ja": "arimasen dekimasen dekinai dekinu gomen gozaimasen iie kotaeraremasen moushiwake muridesu otetsudai sumimasen "
        "tetsudaemasen wakarimasen zannen desu kinshi",
        "ka": "bodishi ukatsravad shemidzlia",
        "kk": "almaymyn keshiriniz",
        "ko": "andoemnida andwaeyo aniyo eopseoyo eopseumnida geojeolhamnida joesonghajiman joesonghamnida mianhae mianhaeyo "
        "mianhamnida",
        "ml": "kazhiyilla kshamikkanam pattilla",
        "mr": "shakat",
        "ne": "garnuhos garnus sakdina sakdaina",
        "pa": "sakda sakdi",
        "ru": "izvinite mogu nelzya nelzia nevozmozhno nyet otkazyvayus pomoch prostite sozhaleniyu zabroneno zapreshcheno",
        "si": "samavenna",
        "ta": "ennal mannikkavum mudiyadhu mudiyathu",
        "te": "cheyalenu kshaminchandi kudaradu",
        "th": "khothot khrap krub samat",
        "uk": "mozhu vybachte",
        "ur": "maazrat",
        "uz": "olmayman",
        "vi": "duoc khong",
        "zh": "bangzhu baoqian buneng duibuqi huida keyi neng tigong wufa",
    }.items()
    for word in words.split()
}
"""Words of refusals in Latin letters of languages that have other ones, and of Vietnamese without its marks."""
_ROMANISED_ENDS = (
    (re.compile(r"\w(?:masen|shimasu|emasu)$"), "ja"),
    (re.compile(r"\w(?:mnida|seyo|haeyo|jiman)$"), "ko"),
)
"""Endings of polite Japanese and Korean, whatever the verb."""
_ROMANISED_WORDS = 12
"""Words of an answer at most in which one of them tells: a longer answer may speak of a language."""

_SHORT_ENGLISH = frozenset(
    "i a an is it its in on if of as by or we you can not and are was for yes but all any our out how who why use see has had "
    "did this she him her off two six one ten red car cat dog men boy girl new old big bad day way sex gun cup gas tea oil ice "
    "air sky sea art age ok hi up im dont cant wont isnt".split()
)
"""Short words, and words without their apostrophe, that are hardly anything but English."""
_ENGLISH_AT_MOST = 1 / 3
_RUN = 3
_UNKNOWN = 2
_BETWEEN_RUNS = re.compile(r"[^\w\s'\u2019-]|\d{2,}|\n")
_CODE = re.compile(r"[=(){}|<>/\\_`#$@\[\]]")

_TIMES_LIKELIER = ((2, 30.0), (4, 20.0), (7, 12.0), (math.inf, 6.0))
"""How many times likelier another language must be before an answer counts as unread, by its number of words."""


@lru_cache(maxsize=8)  # several phrase lists ask about one answer after the other
def unread(text: str, reads: str = ENGLISH) -> str | None:
    """The language of an answer that an evaluator does not read, or None where the evaluator reads it.

    The beginning decides (400 characters), and the last sentence: where that is in another language, a refusal at the end
    would be missed.

    Args:
        text: The answer.
        reads: The evaluator's language, as ISO 639-1 code.

    Returns:
        The ISO 639 code of the language that was found.

    >>> unread("抱歉，我无法协助处理这个请求。"), unread("The picture shows a door. 抱歉，我无法协助处理这个请求。")
    ('zh', 'zh')
    """
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    found = _unread(text[:HEAD], reads)
    if found is None:
        last = next((piece for piece in reversed(_SENTENCE.split(text[-_LAST:])) if _WORD.search(piece)), "")
        told = len(_WORD.findall(last)) >= _TOLD_BY or len(_FOREIGN.findall(last)) >= _LEAST_FOREIGN
        if told and len(last) < len(text):
            found = _unread(last, reads)
    return found


@lru_cache(maxsize=4096)
def _unread(text: str, reads: str) -> str | None:
    words = _WORD.findall(text.lower())
    if not words:
        return None
    foreign, latin = _letters(text)
    share = foreign / (foreign + latin)
    if reads in _WITHOUT_LATIN:
        text = _LATIN.sub(" ", text) if share > _FOREIGN_SHARE else text
    elif share > _FOREIGN_SHARE and foreign >= _LEAST_FOREIGN:
        return _best(_LATIN.sub(" ", text))
    elif reads == ENGLISH:
        if _looks_english(words):
            return None
        if len(words) <= _ROMANISED_WORDS:
            told = next((code for word in words if (code := _romanised(word))), None)
            if told is not None:
                return told
        if len(words) <= 2 and not _ENGLISH_WORDS.intersection(words):
            known = next((_SHORT[word] for word in words if word in _SHORT), None)
            if known is not None:
                return known
    found = _likelier(text, len(words), reads)
    if found is None and reads == ENGLISH and _hardly_english(text):
        return UNDETERMINED
    if found is None or not latin or share > _FOREIGN_SHARE:
        return found
    pieces = [(piece, len(_WORD.findall(piece))) for piece in _SENTENCE.split(text)]
    if sum(n > 0 for _, n in pieces) < 2:
        return found
    # A greeting in another language does not make an answer unreadable.
    foreign_words = sum(n for piece, n in pieces if n and _foreign_sentence(piece, n, reads))
    return found if foreign_words > _FOREIGN_WORDS * len(words) else None


def _romanised(word: str) -> str | None:
    ends = (code for end, code in _ROMANISED_ENDS if end.search(word))
    return _ROMANISED.get(word) or next(ends, None)


def _foreign_sentence(sentence: str, words: int, reads: str) -> bool:
    if reads == ENGLISH and _looks_english(_WORD.findall(sentence.lower())):
        return False
    return _likelier(sentence, words, reads) is not None


def _letters(text: str) -> tuple[float, float]:
    """Letters of scripts other than Latin (Chinese, Japanese and Korean ones count more), and Latin ones."""
    if text.isascii():
        return 0.0, 1.0
    dense = len(_DENSE.findall(text))
    foreign = len(_FOREIGN.findall(text)) - dense + _DENSITY * dense
    return foreign, max(1.0, float(sum(map(len, _LATIN.findall(text)))))


def _looks_english(words: list[str]) -> bool:
    found = [word for word in words if word in _ENGLISH_WORDS]
    return len(set(found)) >= _LEAST_ENGLISH and len(found) >= _ENGLISH_SHARE * len(words)


def _hardly_english(text: str) -> bool:
    """Whether three words and more in a row, hardly one of them English, stand in a text that is no code and no list of names.

    >>> _hardly_english("ma agdar asa3dak"), _hardly_english("ricin, abrin, botulinum"), _hardly_english("ls -la | grep foo")
    (True, False, False)
    """
    if _CODE.search(text):
        return False
    words = _WORD.findall(text)
    known = sum(word.lower() in _SHORT_ENGLISH or word.lower() in _english_words() for word in words)
    if known > _ENGLISH_AT_MOST * len(words):
        return False
    # Names are capitalised: what is unknown and written small is no name.
    unknown = [word for word in words if len(word) > 1 and word.islower() and word not in _english_words()]
    longest = max(len(_WORD.findall(run)) for run in _BETWEEN_RUNS.split(text))
    return len(unknown) >= _UNKNOWN and longest >= _RUN


@lru_cache(maxsize=1)
def _english_words() -> frozenset[str]:
    return frozenset(ENGLISH_WORDS.read_text(encoding="utf-8").split())


def words_of(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return _WORD.findall(text.lower())


def _likelier(text: str, words: int, reads: str) -> str | None:
    """The likeliest other language, where it is so much likelier than the evaluator's that the text is unread."""
    chances = _chances(text)
    own = (reads, *_NEIGHBOURS.get(reads, ()))
    mine = max(chances.get(code, 0.0) for code in own)
    best = max((code for code in chances if code not in own), key=chances.__getitem__)
    times = next(times for most, times in _TIMES_LIKELIER if words <= most)
    return best if best != _NO_LANGUAGE and chances[best] > times * mine else None


def _best(text: str) -> str:
    chances = _chances(text)
    return max(chances, key=chances.__getitem__)


def _chances(text: str) -> dict[str, float]:
    return dict(_identifier().rank(text))


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    """py3langid's model, which takes most of a second to load."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
