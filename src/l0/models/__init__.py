"""Models by their names: who serves them, with which key, and how they are asked."""

from l0.models._clients import BASE_URLS, KEYS, Clients, base_url_of, key_of
from l0.models._model import Model, model
from l0.models._names import (
    DEFAULT,
    PROVIDERS,
    ModelName,
    check_key,
    is_model,
    known_models,
    parse_model,
)
from l0.models._request import Request, opener
from l0.models._sim import Script

__all__ = [
    "BASE_URLS",
    "DEFAULT",
    "KEYS",
    "PROVIDERS",
    "Clients",
    "Model",
    "ModelName",
    "Request",
    "Script",
    "base_url_of",
    "check_key",
    "is_model",
    "key_of",
    "known_models",
    "model",
    "opener",
    "parse_model",
]
