"""What the sim models say: a story, code, Markdown, and a text in many scripts.

All of it is ours, and made to be looked at: these are the first words a newcomer sees stream.
"""

# ruff: noqa: RUF001  the dashes and the look-alike letters of other scripts are meant

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random


def story(pick: random.Random) -> str:
    """A keeper, a broken telegraph, and a message that arrives in two pieces."""
    name, she, her = pick.choice(_KEEPERS)
    hazard = pick.choice(_HAZARDS)
    ship, aboard = pick.choice(_SHIPS), pick.choice(_ABOARD)
    words = {
        "name": name,
        "she": she,
        "She": she.capitalize(),
        "her": her,
        "Her": her.capitalize(),
        "place": pick.choice(_PLACES),
        "ship": ship,
        "SHIP": ship.upper(),
        "aboard": aboard,
        "ABOARD": aboard.upper(),
        "first": hazard[0],
        "rest": hazard[1],
        "side": hazard[2],
    }
    parts = (_OPENINGS, _MESSAGES, _TRIALS, _ANSWERS, _RESTS, _ENDINGS)
    return "\n\n".join(pick.choice(part).format(**words) for part in parts)


_KEEPERS: Final = (
    ("Marta Oyelaran", "she", "her"),
    ("Ingrid Solheim", "she", "her"),
    ("Tomas Arreguy", "he", "his"),
    ("Old Wen", "he", "his"),
    ("Philippa Quill", "she", "her"),
)
_PLACES: Final = ("Farrow Rock", "Saint Ansel's Light", "the Grey Tooth", "Cape Lament")
_SHIPS: Final = ("Petrel", "Halcyon", "Mary Answer", "Cormorant", "Nina Vale")
_ABOARD: Final = ("forty", "sixty-one", "a hundred and twelve", "nineteen")
_HAZARDS: Final = (
    ("KEEP HER CLEAR OF THE", "NORTH CHANNEL. BUOY ADRIFT", "north"),
    ("DO NOT LET HER TRUST THE", "EASTERN LEADING LIGHT. LAMP OUT", "east"),
    ("SHE MUST NOT ENTER BY THE", "SOUTHERN SOUND. WRECK AWASH", "south"),
    ("TURN HER AWAY FROM THE", "WESTERN BAR. SAND HAS MOVED", "west"),
)
_OPENINGS: Final = (
    (
        "The telegraph at {place} had one bad habit: it stopped listening in the middle of a"
        " sentence. For eleven winters {name} had kept the lamp burning above it, and had learned"
        " to be patient with both."
    ),
    (
        "Nobody had ever come to {place} by accident. {name} liked that about it, along with the"
        " lamp, the gulls, and the brass telegraph that coughed up news from the mainland whenever"
        " the weather allowed."
    ),
    (
        "On the night the cable frayed, {name} was drying a pair of socks on the telegraph. It was"
        " the warmest thing at {place}, and a good deal warmer than the conversation."
    ),
)
_MESSAGES: Final = (
    (
        "At a quarter past nine the sounder woke. {SHIP} MAKING FOR YOU, it rapped, {ABOARD}"
        " ABOARD, {first} — and there it stopped, needle trembling, like a visitor who has"
        " forgotten why he came in."
    ),
    (
        "Then the needle jumped. {SHIP} MAKING FOR YOU. {ABOARD} ABOARD. {first} — and after"
        " that, nothing but rain, walking up and down the roof in its heavy boots."
    ),
)
_TRIALS: Final = (
    (
        "{name} tapped the key. {She} counted to ten, then to twenty. Far away somebody began"
        " again at the beginning, and broke off again at the very same word."
    ),
    (
        "Twice the mainland started over from the first letter; twice the wire gave out in the same"
        " spot. Somewhere beyond the glass {aboard} people were eating supper, and trusting"
        " {her} lamp."
    ),
)
_ANSWERS: Final = (
    (
        "So {she} did what no manual advised. {She} wound fresh copper round the break, held it"
        " together with {her} bare fingers, and sent no complaint, only this: HAVE YOU AS FAR AS"
        " {first}. GO ON FROM THERE."
    ),
    (
        "The manual said to wait for morning. {She} shut the manual, pinched the torn ends"
        " together until they stung, and keyed with {her} free hand: HAVE YOU AS FAR AS {first}."
        " GO ON FROM THERE."
    ),
)
_RESTS: Final = (
    "A pause, long enough to hear {her} own heart. Then, small and exact: {rest}.",
    (
        "The sea drew one slow breath. And then the sounder spoke, as if it had never been"
        " away: {rest}."
    ),
)
_ENDINGS: Final = (
    (
        "{She} hung the red lantern on the {side} rail and watched the {ship} lean away from the"
        " rocks as though she had meant to all along. In the log {she} wrote the date, the wind,"
        " and nine words more: Message received in two pieces. Nothing was lost between."
    ),
    (
        "By midnight the {ship} lay safe in the roads, every window lit. {name} hung up the red"
        " lantern on the {side} rail all the same, put the kettle on, and wrote in the"
        " log: Message received in two pieces. Nothing was lost between."
    ),
)


def code(pick: random.Random) -> tuple[str, str]:
    """A Python function, explained before and after its fence; and the thought before it."""
    return pick.choice(((_MORSE, _MORSE_THOUGHT), (_FLASHES, _FLASHES_THOUGHT)))


_MORSE_THOUGHT: Final = (
    "Letters are separated by blanks and words by slashes. Unknown characters should be named in"
    " the error, not dropped without a word."
)
_FLASHES_THOUGHT: Final = (
    "A rhythm is light and dark in turn. Groups are found by comparing neighbours, so one pass is"
    " enough and nothing has to be sorted."
)

_MORSE: Final = '''\
Morse code is a dictionary and two kinds of pause, so the whole translator fits on one screen:

```python
MORSE = {
    "A": ".-", "B": "-...", "C": "-.-.", "D": "-..", "E": ".", "F": "..-.", "G": "--.",
    "H": "....", "I": "..", "J": ".---", "K": "-.-", "L": ".-..", "M": "--", "N": "-.",
    "O": "---", "P": ".--.", "Q": "--.-", "R": ".-.", "S": "...", "T": "-", "U": "..-",
    "V": "...-", "W": ".--", "X": "-..-", "Y": "-.--", "Z": "--..",
}


def to_morse(text: str) -> str:
    """Spell `text` in Morse: blanks between letters, slashes between words."""
    words = []
    for word in text.upper().split():
        unknown = set(word) - MORSE.keys()
        if unknown:
            raise ValueError(f"no Morse for {', '.join(sorted(unknown))}")
        words.append(" ".join(MORSE[letter] for letter in word))
    return " / ".join(words)


print(to_morse("go on"))  # --. --- / --- -.
```

Three decisions are worth a second look:

1. `split()` without an argument swallows runs of blanks, so no empty word can slip in.
2. The check names **every** character it can't spell, so one round of fixing is enough.
3. The dictionary stays outside the function: turning it round with
   `{code: letter for letter, code in MORSE.items()}` gives you the receiver for nothing.

Try it with your own name, and listen for the rhythm.
'''

_FLASHES: Final = '''\
A lighthouse is known by its rhythm. Counting how long each stretch of light or dark lasts is run
length encoding, and `itertools.groupby` does most of it:

```python
from itertools import groupby


def flashes(signal: str) -> list[tuple[str, int]]:
    """Group a signal of `#` (light) and `.` (dark) into runs with their lengths in seconds."""
    strange = set(signal) - {"#", "."}
    if strange:
        raise ValueError(f"a signal is made of # and . only, not {sorted(strange)}")
    return [(kind, len(list(run))) for kind, run in groupby(signal)]


def period(signal: str) -> int:
    """The shortest length after which the signal repeats itself."""
    size = len(signal)
    for step in range(1, size):
        if signal[step:] == signal[: size - step]:
            return step
    return size


print(flashes("##....#"))  # [('#', 2), ('.', 4), ('#', 1)]
print(period("#..#..#..#"))  # 3
```

How it works, in two steps:

- `groupby` only joins *neighbours*, and that is exactly right here: two flashes with a pause
  between them must stay two flashes.
- `period` slides the signal over itself. The first shift that fits is the answer, and a signal
  that never repeats is simply its own period.

For a real log, feed it one character a second, and compare the result with the light list.
'''


def markdown(pick: random.Random) -> str:
    """A page with every common block: headings, lists, table, quote, code, emphasis, link."""
    night = pick.choice(("first", "longest", "windiest", "quietest"))
    wick = pick.choice((9, 11, 14))
    return _HANDBOOK.format(night=night, wick=wick, turns=wick * 6)


_HANDBOOK: Final = """\
# The Keeper's Handbook

*For whoever takes over on the {night} night of the year.*

## Before dark

1. Trim the wick to **{wick} mm**, no shorter.
2. Wind the clockwork: `{turns}` turns, then stop at the click.
3. Open the log and write
   - the wind,
   - the glass,
   - anything that **_isn't_** there any more.

## What the lights mean

| Light | Rhythm | Say to the harbour |
| :--- | :---: | ---: |
| White | 1 flash / 10 s | all is well |
| Red | 2 flashes / 15 s | keep away |
| Green | fixed | come in, slowly |

> A lamp that burns all night is a habit.
> A lamp that burns *again* is a decision.

## When the line breaks

The telegraph will fail in mid-sentence. ~~Shout at it.~~ Do this instead:

```text
HAVE YOU AS FAR AS <last good word>
GO ON FROM THERE
```

- [x] Keep what arrived.
- [x] Ask only for what is missing.
- [ ] Never throw away a message because its *end* is late.

### Further reading

The lens is a story of its own: see [how a Fresnel lens works][lens].

---

*Signed in the lamp room, with cold fingers.*

[lens]: https://en.wikipedia.org/wiki/Fresnel_lens
"""


def unicode(pick: random.Random) -> str:
    """One idea in many scripts: joined emoji, combining marks, both directions, astral letters."""
    family = pick.choice(("👨‍👩‍👧‍👦", "👩‍👩‍👦", "👨‍👨‍👧‍👧"))
    keeper = pick.choice(("👩🏽‍🚀", "🧑🏾‍🚒", "👨🏻‍🔬", "👩🏿‍🎨"))
    flags = " ".join(pick.sample(("🇳🇴", "🇯🇵", "🇧🇷", "🇮🇳", "🇬🇷", "🇰🇷", "🏳️‍🌈", "🏴‍☠️"), 4))
    return _SCRIPTS.format(family=family, keeper=keeper, flags=flags)


# Cafe, Zürich and the Vietnamese are written with combining marks on purpose.
_SCRIPTS: Final = (
    "🗼 One light, many words for it.\n\n"
    "Ελληνικά: ο φάρος ανάβει. Русский: маяк горит всю ночь. 日本語：灯台が夜の海を照らす。"
    "中文：灯塔整夜亮着，𠮷祥如意。한국어: 등대가 밤새 빛난다.\n\n"
    "עברית: המגדלור דולק כל הלילה. العربية: المنارة تضيء البحر ليلًا، والسفينة Petrel تعود. "
    "हिन्दी: प्रकाशस्तंभ रात भर जलता है। ไทย: ประภาคารส่องสว่างทั้งคืน\n\n"
    "Cafe\u0301 at the harbour, Zu\u0308rich on the postcard, Tie\u0302\u0301ng Vie\u0323\u0302t"
    " on the radio, and a word that got carried away: l\u0336i\u0337g\u0338h\u0335t\u0334"
    " a\u030a\u0323\u0332.\n\n"
    "{keeper} keeps the lamp; {family} wave from the ferry. Flags tonight: {flags}. Weather:"
    " ☁️→⛈️→🌤️, 1️⃣2️⃣ knots, 👍🏼.\n\n"
    "𝓣𝓱𝓮 𝓵𝓸𝓰 𝓼𝓪𝔂𝓼: ∀𝑥 ∈ ℝ, 𝑒^(𝑖𝜋) + 1 = 0, and 𝔸 ⊂ 𝔹. 𐍈 is one letter, 𒀭 is another, and"
    " ﷽ is one sign with a whole sentence inside.\n\n"
    "Nothing here may break in the middle: not 🧑‍🤝‍🧑, not ñ, not ｆｕｌｌ ｗｉｄｔｈ. 🌊✨\n"
)
