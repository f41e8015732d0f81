"""What pip is told for each optional package."""

OTEL = '"l0[otel]"'
SENTRY = '"l0[sentry]"'
PROMETHEUS = '"l0[prometheus]"'
