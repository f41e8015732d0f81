"""The room's names, and that using it pulls in nothing it doesn't need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import l0.monitoring
from l0.events import catalog
from l0.monitoring import Metrics, Monitor, OpenTelemetry, create_sentry_handler
from l0.monitoring._metrics import MEANINGS
from l0.monitoring._otel_names import ATTRIBUTES, METRICS, SPAN_EVENTS, VERSION
from l0.monitoring._prometheus import SERIES, create_prometheus_handler

PAGE = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text()


def test_the_names_are_sorted_true_and_documented():
    names = l0.monitoring.__all__
    assert names == sorted(names, key=lambda name: (not name[0].isupper(), name))
    for name in names:
        value = getattr(l0.monitoring, name)
        assert ">>>" in value.__doc__ or hasattr(value, "__struct_fields__"), name


def test_importing_the_room_stays_light():
    code = "import l0.monitoring, sys, json; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"opentelemetry", "sentry_sdk", "prometheus_client", "pandas", "pydantic"}


def test_every_handler_says_what_it_wants():
    """So that the bus makes nothing else, and no check that found nothing."""
    for handler in (
        *(Metrics(), Monitor(), OpenTelemetry(), create_sentry_handler()),
        create_prometheus_handler(),
    ):
        assert handler.types <= set(catalog())
        assert "TOKENS" not in handler.types
        assert handler.found_only


def test_the_page_has_every_name_there_is():
    """The tables of the page are those of the modules."""
    assert VERSION in PAGE
    for row in (*ATTRIBUTES, *SPAN_EVENTS):
        assert f"| `{row.name}` | {row.on} | {row.says} |" in PAGE, row
    for metric in METRICS:
        assert f"| `{metric.name}` | {metric.unit} | {metric.says} |" in PAGE, metric
    for series in SERIES:
        labels = ", ".join(series.labels)
        assert f"| `l0_{series.name}` | {series.kind} | {labels} | {series.says} |" in PAGE, series
    for name, says in MEANINGS.items():
        assert f"| `{name}` | {says} |" in PAGE, name
