"""What is wrong with the text so far: rules and drift, fed only what is new."""

from __future__ import annotations

from l0.guardrails._detect import (
    detect_excessive_hedging,
    detect_first_last_duplicate,
    detect_format_collapse,
    detect_instruction_leakage,
    detect_meta_commentary,
    detect_placeholders,
    detect_refusal,
    detect_repetition,
)
from l0.guardrails._drift import DriftDetector, check_drift
from l0.guardrails._drift_config import DriftConfig, DriftResult
from l0.guardrails._engine import GuardrailEngine
from l0.guardrails._json_rules import (
    JsonStructure,
    analyze_json_structure,
    json_rule,
    looks_like_json,
    strict_json_rule,
)
from l0.guardrails._latex import (
    LatexStructure,
    analyze_latex_structure,
    latex_rule,
    looks_like_latex,
)
from l0.guardrails._markdown import (
    MarkdownStructure,
    analyze_markdown_structure,
    looks_like_markdown,
    markdown_rule,
)
from l0.guardrails._patterns import (
    BadPattern,
    custom_pattern_rule,
    find_bad_patterns,
    pattern_rule,
)
from l0.guardrails._presets import (
    Guardrails,
    minimal_guardrails,
    recommended_guardrails,
    strict_guardrails,
)
from l0.guardrails._repetition import repetition_rule
from l0.guardrails._result import (
    GuardrailContext,
    GuardrailResult,
    check_guardrails,
    check_guardrails_full,
)
from l0.guardrails._rule import SETTLED, Checker, GuardrailRule, JudgedState
from l0.guardrails._stall import stall_rule
from l0.guardrails._verdict import Action
from l0.guardrails._zero import is_zero_output, zero_output_rule

__all__ = [
    "SETTLED",
    "Action",
    "BadPattern",
    "Checker",
    "DriftConfig",
    "DriftDetector",
    "DriftResult",
    "GuardrailContext",
    "GuardrailEngine",
    "GuardrailResult",
    "GuardrailRule",
    "Guardrails",
    "JsonStructure",
    "JudgedState",
    "LatexStructure",
    "MarkdownStructure",
    "analyze_json_structure",
    "analyze_latex_structure",
    "analyze_markdown_structure",
    "check_drift",
    "check_guardrails",
    "check_guardrails_full",
    "custom_pattern_rule",
    "detect_excessive_hedging",
    "detect_first_last_duplicate",
    "detect_format_collapse",
    "detect_instruction_leakage",
    "detect_meta_commentary",
    "detect_placeholders",
    "detect_refusal",
    "detect_repetition",
    "find_bad_patterns",
    "is_zero_output",
    "json_rule",
    "latex_rule",
    "looks_like_json",
    "looks_like_latex",
    "looks_like_markdown",
    "markdown_rule",
    "minimal_guardrails",
    "pattern_rule",
    "recommended_guardrails",
    "repetition_rule",
    "stall_rule",
    "strict_guardrails",
    "strict_json_rule",
    "zero_output_rule",
]
