"""The ready-made sets of rules."""

from __future__ import annotations

from l0.guardrails._json_rules import json_rule, strict_json_rule
from l0.guardrails._latex import latex_rule
from l0.guardrails._markdown import markdown_rule
from l0.guardrails._patterns import pattern_rule
from l0.guardrails._repetition import repetition_rule
from l0.guardrails._rule import GuardrailRule
from l0.guardrails._stall import stall_rule
from l0.guardrails._zero import zero_output_rule


class Guardrails:
    """Ready-made sets of rules; each call gives a new list, to use as it is or to change.

    No set rejects prose for not being JSON: only `json_only` asks for JSON.

    Example:
        >>> [rule.name for rule in Guardrails.recommended()]
        ['json', 'markdown', 'pattern', 'zero_output']
    """

    @staticmethod
    def minimal() -> list[GuardrailRule]:
        """JSON that claims to be JSON closes; the answer is not empty.

        Example:
            >>> [rule.name for rule in minimal_guardrails()]
            ['json', 'zero_output']
        """
        return [json_rule(), zero_output_rule()]

    @staticmethod
    def recommended() -> list[GuardrailRule]:
        """As minimal, and markdown that closes, and warnings about telltale phrases.

        Example:
            >>> [rule.name for rule in recommended_guardrails()]
            ['json', 'markdown', 'pattern', 'zero_output']
        """
        return [json_rule(), markdown_rule(), pattern_rule(), zero_output_rule()]

    @staticmethod
    def strict() -> list[GuardrailRule]:
        """Every built-in rule; JSON that claims to be JSON must also parse.

        Example:
            >>> print(*[rule.name for rule in strict_guardrails()])
            json strict_json markdown latex pattern zero_output stall repetition
        """
        return [
            json_rule(),
            strict_json_rule(expect=False),
            markdown_rule(),
            latex_rule(),
            pattern_rule(),
            zero_output_rule(),
            stall_rule(),
            repetition_rule(),
        ]

    @staticmethod
    def json_only() -> list[GuardrailRule]:
        """The answer must be JSON and nothing else (a fence around it is fine)."""
        return [json_rule(expect=True), strict_json_rule(), zero_output_rule()]

    @staticmethod
    def markdown_only() -> list[GuardrailRule]:
        """Fences close, tables fit; the answer is not empty."""
        return [markdown_rule(), zero_output_rule()]

    @staticmethod
    def latex_only() -> list[GuardrailRule]:
        """Environments and display math close; the answer is not empty."""
        return [latex_rule(), zero_output_rule()]

    @staticmethod
    def none() -> list[GuardrailRule]:
        """No rules."""
        return []


minimal_guardrails = Guardrails.minimal
recommended_guardrails = Guardrails.recommended
strict_guardrails = Guardrails.strict
