"""Live views, magics and frames for notebooks: `%load_ext l0`."""

from l0.notebook import _charts as charts
from l0.notebook import _frames as frames
from l0.notebook._board_display import BoardShown
from l0.notebook._board_handle import BoardHandle
from l0.notebook._board_map_view import MapView
from l0.notebook._chat import Conversation
from l0.notebook._explorer import Explorer, explore
from l0.notebook._extension import load, unload
from l0.notebook._handle import Handle
from l0.notebook._usage import set_prices
from l0.notebook._view import View, view

__all__ = [
    "BoardHandle",
    "BoardShown",
    "Conversation",
    "Explorer",
    "Handle",
    "MapView",
    "View",
    "charts",
    "explore",
    "frames",
    "load",
    "set_prices",
    "unload",
    "view",
]
