"""What a provider's chunk means: OpenAI, Anthropic, LiteLLM, plain text, and your own."""

from l0.adapters._anthropic import AnthropicAdapter, AnthropicAdapterOptions
from l0.adapters._base import BaseAdapter, BaseDecoder, as_events, has_transport
from l0.adapters._contract import ACTIVITY, Activity, AdaptedEvent, Adapter, Decoded, Decoder
from l0.adapters._convert import (
    to_l0_events,
    to_l0_events_with_messages,
    to_multimodal_l0_events,
)
from l0.adapters._create import (
    create_adapter_audio_event,
    create_adapter_binary_event,
    create_adapter_complete_event,
    create_adapter_data_event,
    create_adapter_error_event,
    create_adapter_file_event,
    create_adapter_image_event,
    create_adapter_json_event,
    create_adapter_message_event,
    create_adapter_progress_event,
    create_adapter_token_event,
    create_adapter_tool_call_event,
    create_adapter_video_event,
)
from l0.adapters._litellm import LiteLLMAdapter
from l0.adapters._openai import OpenAIAdapter, OpenAIAdapterOptions
from l0.adapters._passthrough import PassthroughAdapter
from l0.adapters._registry import (
    FunctionAdapter,
    bind,
    detect_adapter,
    register_adapter,
    registered_adapters,
    reset_adapters,
    select_adapter,
    select_by_chunk,
    unregister_adapter,
)
from l0.adapters._responses import OpenAIResponsesAdapter, OpenAIResponsesAdapterOptions
from l0.adapters._tools import parse_arguments

__all__ = [
    "ACTIVITY",
    "Activity",
    "AdaptedEvent",
    "Adapter",
    "AnthropicAdapter",
    "AnthropicAdapterOptions",
    "BaseAdapter",
    "BaseDecoder",
    "Decoded",
    "Decoder",
    "FunctionAdapter",
    "LiteLLMAdapter",
    "OpenAIAdapter",
    "OpenAIAdapterOptions",
    "OpenAIResponsesAdapter",
    "OpenAIResponsesAdapterOptions",
    "PassthroughAdapter",
    "as_events",
    "bind",
    "create_adapter_audio_event",
    "create_adapter_binary_event",
    "create_adapter_complete_event",
    "create_adapter_data_event",
    "create_adapter_error_event",
    "create_adapter_file_event",
    "create_adapter_image_event",
    "create_adapter_json_event",
    "create_adapter_message_event",
    "create_adapter_progress_event",
    "create_adapter_token_event",
    "create_adapter_tool_call_event",
    "create_adapter_video_event",
    "detect_adapter",
    "has_transport",
    "parse_arguments",
    "register_adapter",
    "registered_adapters",
    "reset_adapters",
    "select_adapter",
    "select_by_chunk",
    "to_l0_events",
    "to_l0_events_with_messages",
    "to_multimodal_l0_events",
    "unregister_adapter",
]
