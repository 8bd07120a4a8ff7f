"""What a model says, one message after the other, while it reviews a log that begins with a refused connection."""

from __future__ import annotations

import json
from typing import Any

from support.model_server import Answer, Call, Reply

__all__ = ["ACTIONS", "FOUND", "LOOK", "MEMO", "PLAN", "REVIEW"]


def _said(value: dict[str, Any]) -> Answer:
    return Answer(json.dumps(value))


PLAN = _said(
    {
        "severity": "high",
        "inquiries": [
            {"topic": f"topic_{number}", "title": f"question {number}", "question": "Why?", "priority": "high"}
            for number in range(4)
        ],
    }
)
LOOK = Answer(calls=(Call("call_1", "incident_review__fetch_signals", {"incident": "incident-1", "kinds": ["53300"]}),))
FOUND = _said(
    {
        "signals": [],
        "hypotheses": [
            {
                "title": "too many clients",
                "statement": "There were more clients than slots.",
                "confidence": 0.9,
                "evidence": [
                    {"quote": "too many clients", "source": "log", "line": 1, "stance": "for", "weight": 0.6},
                    {"quote": "the moon was full", "source": "log", "line": 2, "stance": "for", "weight": 0.6},
                ],
            }
        ],
    }
)
ACTIONS = _said(
    {
        "actions": [
            {
                "title": "Share connections",
                "detail": "Use a pool.",
                "priority": "high",
                "owner_role": "platform",
                "addresses": ["too many clients"],
            }
        ]
    }
)
MEMO = _said(
    {"summary": "Clients were refused.", "findings": [{"hypothesis": "too many clients", "text": "Pool them."}]}
)
REVIEW: list[Reply] = [PLAN, *[LOOK, FOUND] * 4, ACTIONS, MEMO]
"""Of one incident, with four inquiries."""
