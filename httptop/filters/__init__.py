"""The filter language, which selects requests (grammar: docs/filters.md).

:func:`parse` turns a text into a frozen tree; the ``matches_`` functions apply a tree to samples
and endpoints, predicates.py to rows; ``str(tree)`` is an equivalent text.
"""

from __future__ import annotations

from httptop.filters.matching import (
    KEY_FIELDS,
    ROW_FIELDS,
    TRANSACTION_FIELDS,
    evaluate,
    matches_key,
    matches_transaction,
)
from httptop.filters.parser import MAX_LENGTH, parse
from httptop.filters.tree import (
    And,
    Compare,
    Expression,
    FilterError,
    Not,
    Or,
    comparisons,
    conjuncts,
)
from httptop.filters.values import FIELDS, Value

__all__ = [
    "FIELDS",
    "KEY_FIELDS",
    "MAX_LENGTH",
    "ROW_FIELDS",
    "TRANSACTION_FIELDS",
    "And",
    "Compare",
    "Expression",
    "FilterError",
    "Not",
    "Or",
    "Value",
    "comparisons",
    "conjuncts",
    "evaluate",
    "matches_key",
    "matches_transaction",
    "parse",
]
