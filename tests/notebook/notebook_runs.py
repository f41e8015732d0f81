"""Runs for the tests of the views: scripted models on a virtual clock, and what came of them."""

from html.parser import HTMLParser

import l0
from l0.notebook._story import Story
from l0.testing import ScriptedModel, VirtualClock, fail, stall

TROUBLE = (
    ["Hel", "lo 🎉 ", fail(ConnectionResetError("reset by peer"))],
    ["Hello wor", stall(5)],
    ["Hello ", "🎉 ", "world"],
)


async def told(*attempts, model="sim:demo", clock=None, story=None, **options):
    """The story of a run to its end, and the stream."""
    options.setdefault("retry", l0.Retry(base_delay=0))
    options.setdefault("timeout", l0.Timeout(5, 2, 1))
    options.setdefault("continuation", False)
    stream = l0.run(ScriptedModel(*attempts), clock=clock or VirtualClock(), **options)
    story = story or Story(model=model)
    story.follow(stream)
    try:
        await stream.read()
    except l0.errors.Error as error:
        story.error = {"type": type(error).__name__, "message": str(error)}
    except Exception as error:
        story.error = {"type": type(error).__name__, "message": str(error)}
    return story, stream


class Tags(HTMLParser):
    """The elements and attributes of HTML, checked for balance."""

    VOID = frozenset({"br", "hr"})

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.found, self.open, self.texts = [], [], []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def handle_decl(self, decl):
        raise AssertionError(f"a declaration: {decl}")

    def handle_pi(self, data):
        raise AssertionError(f"an instruction: {data}")

    def unknown_decl(self, data):
        raise AssertionError(f"a declaration: {data}")

    @property
    def text(self):
        return "".join(self.texts)
