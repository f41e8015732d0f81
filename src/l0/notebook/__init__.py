"""Live views, magics and frames for notebooks: `%load_ext l0`."""

from l0.notebook import _charts as charts
from l0.notebook import _frames as frames
from l0.notebook._extension import load, unload
from l0.notebook._handle import Handle
from l0.notebook._view import View, view

__all__ = ["Handle", "View", "charts", "frames", "load", "unload", "view"]
