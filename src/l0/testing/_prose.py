"""Prose without end that never says the same sentence twice: the text of `sim:long`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

SENTENCES: Final = 1_020
"""About 20,000 tokens."""


def long(pick: random.Random) -> str:
    """About 20,000 tokens in paragraphs, each sentence said once."""
    said: set[str] = set()
    paragraphs: list[str] = []
    count = 0
    while count < SENTENCES:
        size = min(pick.randint(3, 7), SENTENCES - count)
        paragraphs.append(" ".join(_new_sentence(pick, said) for _ in range(size)))
        count += size
    return "\n\n".join(paragraphs) + "\n"


def _new_sentence(pick: random.Random, said: set[str]) -> str:
    while True:
        sentence = pick.choice(_SHAPES).format_map(_Slots(pick))
        sentence = _ARTICLE.sub(r"\1n ", sentence[0].upper() + sentence[1:])
        if sentence not in said:
            said.add(sentence)
            return sentence


_ARTICLE: Final = re.compile(r"\b([Aa]) (?=[aeiou])")


class _Slots(dict[str, str]):
    """Fills each slot of a sentence with a word of its kind, never the same one twice in it."""

    def __init__(self, pick: random.Random) -> None:
        super().__init__()
        self._pick = pick
        self._used: set[str] = set()

    def __missing__(self, slot: str) -> str:
        choices = _WORDS[slot.rstrip("0123456789")]
        word = self._pick.choice(choices)
        while word in self._used:
            word = self._pick.choice(choices)
        self._used.add(word)
        if "{" in word:
            word = word.format_map(self)
        return word


_SHAPES: Final = (
    "{when}, {who} {did} {what} {where}.",
    "{who} {did} {what}, and {who1} {did1} {what1} {how}.",
    "{where}, {thing} {was} {like}.",
    "{who} had {done} {what} {where} long before {thing} {went}.",
    "it was {who} who {did} {what} {when}, {how}.",
    "nobody asked why {thing} {went} {where}; {who} {knew}.",
    "{thing} {went} {how}, and so did {thing1}.",
    "{when} there came {what} from {who}, {like}.",
    "because {thing} {went} {when}, {who} {did} {what} instead.",
    "{who} said little, {did} {what} {how}, and {knew}.",
    "some evenings {thing} {was} {like}, and {who} {did} {what1}.",
    '"{said}," said {who}, and {did} {what}.',
    "between {thing} and {thing1} lay {what}, {like}.",
    "what {who} remembered of it was {thing}, {how} {where}.",
    "{who} {did} {what} {when}; by then {thing} {went}.",
)

_CHOICES: Final = {
    "who": (
        "the keeper|the pilot's widow|an apprentice|the harbour clerk|two fishermen|the ferryman"
        "|a schoolteacher|the glazier|the cable crew|the {old} inspector|a boy from the quay"
        "|the cook|the cartographer|my aunt|the postmistress|a stranger in {colour} boots"
        "|the chandler|the night nurse|someone from upstairs|the {old} bell-ringer|three sisters"
        "|the mapmaker's son|a {old} diver|the telegraph girl|the customs men"
    ),
    "did": (
        "mended|carried|measured|hid|borrowed|painted|wrapped|found|traded|listened to|drew|weighed"
        "|sorted|polished|buried|counted|followed|photographed|forgot|raised|untied|repaired"
        "|described|returned|guarded|folded"
    ),
    "done": (
        "mended|carried|lost|noticed|buried|sketched|promised|unwrapped|sold|hidden|read|misplaced"
        "|named|tasted|replaced"
    ),
    "what": (
        "a crate of {colour} glass|the {old} chart|seven lengths of rope|a letter without a stamp"
        "|the spare lens|a {old} barometer|half a loaf|the tide tables|a cage of finches"
        "|somebody's umbrella|the {colour} signal flag|a box of matches|an argument about {topic}"
        "|a {old} song|the broken oar|a lantern of {colour} paper|the {old} ledger"
        "|a theory of {topic}|a map of {topic}|a jar of {colour} ink|the {old} compass"
        "|a kettle|one {colour} button|a bundle of {topic} notes|a {old} photograph"
        "|the key to the {old} gate"
    ),
    "thing": (
        "the fog|the lamp|the {old} crane|the tide|the morning boat|the wire|the {colour} door"
        "|the orchard|the gale|every gull|the {old} clock|the bread|the market|the quarrel"
        "|the stairwell|the {colour} roof|the anchor|the rumour|the river|the glass|the snow"
        "|the {old} piano|the smell of tar|the schoolyard|the chimney smoke"
    ),
    "was": "was|seemed|stayed|turned|grew|looked|felt|remained",
    "went": (
        "gave way|came back|held still|went dark|changed its mind|sank|rang|cleared|caught fire"
        "|drifted off|leaned east|stopped|began to sing|broke open|moved inland|lost its colour"
        "|woke|ran dry|slid past|settled"
    ),
    "like": (
        "{colour} as {topic}|quiet as a shut drawer|older than {topic}|soft as wet chalk"
        "|strange in the {old} way|more patient than usual|thin as lace|too large for one room"
        "|as plain as {topic}|slow as cold honey|full of small corrections|almost {colour}"
        "|bright enough to read by|nearly forgotten|heavy with {topic}|half finished"
        "|unlike anything on the {old} list|easier to draw than to name|warm underneath"
    ),
    "where": (
        "behind the {old} cannery|on the east pier|under the gallery|at the third buoy"
        "|beside the {colour} boathouse|in the lamp room|along the sea wall|near the pump"
        "|above the bakery|inside the {old} cistern|by the weighing house|across the sound"
        "|on the slipway|at the top of the stairs|between the drying nets|in the chapel yard"
        "|under a {colour} awning|outside the signal hut|far from {topic}"
    ),
    "when": (
        "before breakfast|on the second Tuesday|that winter|around four|after the last ferry"
        "|in the year of {topic}|while it rained|toward evening|once|at slack water|all through May"
        "|on the night of the {old} fair|a week later|most mornings|when the bell rang"
        "|during the {colour} hour|just after noon|at low tide|every other spring"
        "|as soon as the ice went"
    ),
    "how": (
        "without a word|by hand|twice over|in good order|with one glove on|as if by appointment"
        "|out of sheer habit|rather badly|with great ceremony|against all advice|half asleep"
        "|for the second time|in perfect silence|and nearly on time|with a borrowed knife"
        "|under protest|as the {old} book advises|like a {colour} thread"
    ),
    "knew": (
        "knew better|kept the receipt|had seen worse|slept through it|wrote it all down"
        "|laughed about it later|never told|had expected {topic}|left the window open"
        "|paid in full|asked for more|changed the subject|remembered {topic}|let it pass"
        "|went home early|trusted the {old} barometer"
    ),
    "said": (
        "bring the {old} lamp|it will hold|count again|there is always {topic}|leave it open"
        "|that was my brother|we start from the last word|mind the {colour} step|read it back to me"
        "|you have the wrong {old} island|nothing was lost|salt keeps everything"
        "|ask me about {topic}|the wind has the floor|close the {colour} shutters"
        "|I only came for {topic}"
    ),
    "old": (
        "old|crooked|spare|borrowed|second|narrow|Danish|silent|unpaid|famous|rusted|patient|northern"
        "|upper|quarrelsome|tin|inherited|unlucky|left-handed|brass"
    ),
    "colour": (
        "red|grey|green|ochre|white|copper|blue|pale|black|amber|violet|chalky|rust-brown|silver"
        "|mustard|sea-green"
    ),
    "topic": (
        "herring|weather|mirrors|Sundays|arithmetic|lost keys|the moon|copper wire|distant cousins"
        "|rope|winter pears|dust|patience|good manners|the post|whales|old debts|clockwork|salt"
        "|tomorrow|lanterns|unfinished bridges|ferries|silence"
    ),
}

_WORDS: Final = {slot: tuple(choices.split("|")) for slot, choices in _CHOICES.items()}
