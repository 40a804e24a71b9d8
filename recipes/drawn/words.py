"""Invented words, sentences, names and numbers in many scripts, and the families of type that have their letters."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from faker import Faker

SANS: tuple[str, ...] = (
    "Inter",
    "Lato",
    "Open Sans",
    "Roboto",
    "Liberation Sans",
    "DejaVu Sans",
    "Noto Sans",
    "FreeSans",
    "Quicksand",
)
SANS += ("Play", "Liberation Sans Narrow", "DejaVu Sans Condensed", "Inter Display", "Noto Sans Display")
SERIF: tuple[str, ...] = (
    "Liberation Serif",
    "DejaVu Serif",
    "Noto Serif",
    "FreeSerif",
    "Linux Libertine O",
    "Gentium Plus",
)
SERIF += ("Roboto Slab", "Junicode Two Beta", "STIX", "Noto Serif Display", "DejaVu Serif Condensed")
MONO = ("DejaVu Sans Mono", "Liberation Mono", "JetBrains Mono", "Fira Code", "Inconsolata", "FreeMono")
DISPLAY = ("Bebas Neue", "Cabin Sketch", "Leckerli One", "Inter Black", "Lato Black", "Noto Sans Display")
HAND = ("Comic Neue", "Tomson Talks", "Humor Sans", "DkgHandwriting", "Klee One")
WIDE: tuple[str, ...] = (
    "DejaVu Sans",
    "DejaVu Serif",
    "FreeSans",
    "FreeSerif",
    "Liberation Sans",
    "Liberation Serif",
    "Noto Sans",
)
WIDE += ("Noto Serif", "Liberation Mono", "DejaVu Sans Mono", "Inter", "Roboto", "Open Sans")
JAPANESE: tuple[str, ...] = (
    "Noto Sans CJK JP",
    "Noto Serif CJK JP",
    "IPAexGothic",
    "IPAexMincho",
    "Klee One",
    "M PLUS 1",
    "Yusei Magic",
)
JAPANESE += ("Noto Sans CJK JP Black", "Noto Sans CJK JP Medium", "Noto Serif CJK JP Black", "Reggae One")

LATIN = (
    "en_US",
    "de_DE",
    "fr_FR",
    "es_ES",
    "it_IT",
    "pl_PL",
    "cs_CZ",
    "da_DK",
    "nl_NL",
    "vi_VN",
    "az_AZ",
    "la",
    "tl_PH",
)
FAMILIES = {  # of the locales whose letters not every family has
    "ar_AA": ("Noto Naskh Arabic", "Noto Sans Arabic", "Noto Kufi Arabic", "DejaVu Sans"),
    "fa_IR": ("Noto Naskh Arabic", "Noto Sans Arabic", "Noto Nastaliq Urdu"),
    "he_IL": ("Noto Sans Hebrew", "Noto Serif Hebrew", "DejaVu Sans", "Noto Rashi Hebrew"),
    "ru_RU": WIDE,
    "uk_UA": WIDE,
    "el_GR": WIDE,
    "hy_AM": ("Noto Sans Armenian", "Noto Serif Armenian", "DejaVu Sans"),
    "th_TH": ("Noto Looped Thai", "Noto Sans Thai", "Noto Serif Thai"),
    "bn_BD": ("Noto Sans Bengali", "Noto Serif Bengali"),
    "ja_JP": JAPANESE,
    "zh_CN": ("Noto Sans CJK SC", "Noto Serif CJK SC", "Noto Sans CJK SC Black", "Noto Sans CJK SC Light"),
    "zh_TW": ("Noto Sans CJK TC", "Noto Serif CJK TC", "Noto Sans CJK TC Black"),
}
SPELT = {  # scripts whose words are spelt of letters drawn at random: consonants, signs that may follow one, families
    "hi": ("कखगघचछजझटठडढणतथदधनपफबभमयरलवशसह", "ािीुूेैोौंः", ("Noto Sans Devanagari", "Noto Serif Devanagari")),
    "ta": ("கஙசஞடணதநபமயரலவழளறன", "ாிீுூெேைொோ்", ("Noto Sans Tamil", "Noto Serif Tamil")),
    "te": ("కఖగఘచజటఠడతథదధనపబభమయరలవశసహ", "ాిీుూెేొోం", ("Noto Sans Telugu", "Noto Serif Telugu")),
    "kn": ("ಕಖಗಚಜಟಡಣತದನಪಬಭಮಯರಲವಶಸಹ", "ಾಿೀುೂೆೇೊೋಂ", ("Noto Sans Kannada", "Noto Serif Kannada")),
    "ml": ("കഖഗചജടഡണതദനപബഭമയരലവശസഹ", "ാിീുൂെേൊോം", ("Noto Sans Malayalam", "Noto Serif Malayalam")),
    "gu": ("કખગઘચછજઝટઠડઢણતથદધનપફબભમયરલવશસહ", "ાિીુૂેૈોૌં", ("Noto Sans Gujarati", "Noto Serif Gujarati")),
    "pa": ("ਕਖਗਘਚਛਜਟਠਡਢਣਤਥਦਧਨਪਫਬਭਮਯਰਲਵਸਹ", "ਾਿੀੁੂੇੈੋੌ", ("Noto Sans Gurmukhi", "Noto Serif Gurmukhi")),
    "si": ("කඛගඝචජටඨඩණතථදධනපඵබභමයරලවසහ", "ාැිීුූෙේො", ("Noto Sans Sinhala", "Noto Serif Sinhala")),
    "my": ("ကခဂဃငစဆဇညတထဒဓနပဖဗဘမယရလဝသဟ", "ါိီုူေဲံး", ("Noto Sans Myanmar", "Noto Serif Myanmar")),
    "km": ("កខគឃងចឆជញដឋឌណតថទធនបផពភមយរលវសហ", "ាិីឹុូេែោ", ("Noto Sans Khmer", "Noto Serif Khmer")),
    "lo": ("ກຂຄງຈຊຍດຕຖທນບປຜຝພຟມຢຣລວສຫອຮ", "ະັາິີຸູ", ("Noto Sans Lao", "Noto Serif Lao", "Noto Looped Lao")),
    "ka": ("აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ", "აეიოუ", ("Noto Sans Georgian", "Noto Serif Georgian", "DejaVu Sans")),
    "am": ("ሀለመሠረሰሸቀበተቸነኘአከወዘየደጀገጠጨፀፈ", "ሁሊማሬስሾቁቢታቼንኞ", ("Noto Sans Ethiopic", "Noto Serif Ethiopic")),
    "ko": (
        "가나다라마바사아자차카타파하고노도로모보소오조초",
        "각인을한국만들면살점검편물품길집별빛",
        ("Noto Sans CJK KR",),
    ),
}
SPELT["ko"] = (
    *SPELT["ko"][:2],
    ("Noto Sans CJK KR", "Noto Serif CJK KR", "Noto Sans CJK KR Black", "Noto Sans CJK KR Light"),
)
RIGHT_TO_LEFT = ("ar_AA", "fa_IR", "he_IL")
UNSPACED = ("ja_JP", "zh_CN", "zh_TW", "th_TH")
RIGHT_MARK = "\u200f"


@lru_cache(maxsize=64)
def faker(locale: str) -> Faker:
    """Return the source of invented words of a locale."""
    return Faker(locale)


@dataclass(frozen=True)
class Voice:
    """One language and one family of type that has its letters."""

    locale: str
    family: str

    @classmethod
    def drawn(cls, rng: Random, latin: float = 0.55, families: tuple[str, ...] = ()) -> Voice:
        """Draw a language, Latin with probability `latin`, and a family for it: for Latin one of `families`."""
        if rng.random() < latin:
            group = families or rng.choices((SANS, SERIF, MONO, DISPLAY, HAND), (45, 25, 12, 9, 9))[0]
            return cls(rng.choice(LATIN if group in (SANS, SERIF) else LATIN[:9]), rng.choice(group))
        locale = rng.choice([*FAMILIES, *SPELT, "ja_JP", "ja_JP", "zh_CN", "ru_RU"])
        return cls(locale, rng.choice(FAMILIES[locale] if locale in FAMILIES else SPELT[locale][2]))

    def words(self, rng: Random, count: int) -> list[str]:
        """Return `count` words."""
        if self.locale in SPELT:
            letters, signs, _ = SPELT[self.locale]
            return [_spelt(rng, letters, signs) for _ in range(count)]
        fake = faker(self.locale)
        fake.seed_instance(rng.getrandbits(32))
        found = [str(word) for word in fake.words(count)]
        return [_cased(rng, word) for word in found]

    def line(self, rng: Random, count: int) -> str:
        """Return `count` words as one line of text without a stop."""
        words = self.words(rng, count)
        text = ("" if self.locale in UNSPACED else " ").join(words)
        return (RIGHT_MARK if self.locale in RIGHT_TO_LEFT else "") + text[:1].upper() + text[1:]

    def text(self, rng: Random, count: int) -> str:
        """Return sentences of about `count` words together, with stops, commas and now and then a number."""
        sentences, left = [], count
        while left > 0:
            words = self.words(rng, min(rng.randint(3, 14), max(left, 3)))
            left -= len(words)
            if rng.random() < 0.3:
                words.insert(rng.randrange(len(words)), number(rng))
            if len(words) > 6 and self.locale not in UNSPACED:
                words[len(words) // 2] += rng.choice([",", ",", ";", " \u2013", ":"])
            line = ("" if self.locale in UNSPACED else " ").join(words)
            stop = {"ja_JP": "。", "zh_CN": "。", "zh_TW": "。", "hi": "।", "bn_BD": "।"}.get(
                self.locale, rng.choice("...!?")
            )
            sentences.append(line[:1].upper() + line[1:] + stop)
        mark = RIGHT_MARK if self.locale in RIGHT_TO_LEFT else ""
        return mark + ("" if self.locale in UNSPACED else " ").join(sentences)

    def name(self, rng: Random) -> str:
        """Return an invented name of a person."""
        if self.locale in SPELT or self.locale in ("la", "ar_AA"):
            return " ".join(word.capitalize() for word in self.words(rng, 2))
        fake = faker(self.locale)
        fake.seed_instance(rng.getrandbits(32))
        return str(fake.name())


def _spelt(rng: Random, letters: str, signs: str) -> str:
    """Return a word spelt of random letters, never two signs on end."""
    word = ""
    for _ in range(rng.randint(2, 5)):
        word += rng.choice(letters) + (rng.choice(signs) if rng.random() < 0.45 else "")
    return unicodedata.normalize("NFC", word)


def _cased(rng: Random, word: str) -> str:
    """Return the word as it is, capitalised or, seldom, in capitals."""
    draw = rng.random()
    return word.upper() if draw < 0.05 else word.capitalize() if draw < 0.2 else word


def number(rng: Random) -> str:
    """Return a number, price, date, time, measure or code as they stand in texts."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2049)
    return rng.choice(
        [
            str(rng.randint(0, 10 ** rng.randint(1, 6))),
            f"{rng.randint(0, 9999)}.{rng.randint(0, 99):02d}",
            f"{rng.choice('€$£¥')}{rng.randint(1, 999)},{rng.randint(0, 99):02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{rng.randint(0, 23)}:{rng.randint(0, 59):02d}",
            f"{rng.randint(1, 99)} %",
            f"{rng.randint(1, 900)} {rng.choice(['km', 'kg', 'ml', 'mm', 'g', 'kWh', '°C', 'min', 'cm²', 'MB'])}",
            f"+{rng.randint(1, 99)} {rng.randint(10, 999)} {rng.randint(100, 999)} {rng.randint(1000, 9999)}",
            code(rng, "".join(rng.choice("A0-A0") for _ in range(rng.randint(4, 9))).strip("-") or "A0"),
            f"№ {rng.randint(1, 99999)}",
            f"({rng.randint(1, 99)})",
        ]
    )


def code(rng: Random, pattern: str) -> str:
    """Return the pattern with a letter for each A and a digit for each 0."""
    pick = {"A": "ABCDEFGHJKLMNPRSTUVWXYZ", "0": "0123456789"}
    return "".join(rng.choice(pick[sign]) if sign in pick else sign for sign in pattern)
