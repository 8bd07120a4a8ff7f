"""Errors that reach the caller during a run."""

from __future__ import annotations

from activegraph.errors.base import DOCS_BASE_URL, ExecutionError

__all__ = [
    "ApprovalNotFoundError",
    "InternalEvaluatorError",
    "InvalidPatchLifecycleState",
    "InvalidPatchOperation",
    "RuntimeContextRequiredError",
]

_FAILURE_MODEL = f"{DOCS_BASE_URL}/concepts/failure-model"


class ApprovalNotFoundError(ExecutionError, LookupError):
    """No approval of this id is pending."""

    def __init__(self, approval_id: str, *, pending_count: int | None = None) -> None:
        pending = "" if pending_count is None else f" ({pending_count} pending)"
        super().__init__(
            f"no pending approval {approval_id!r}{pending}",
            what_failed=f"Deciding on approval {approval_id!r}. Nothing was changed.",
            why="An approval is decided once; a second answer has no effect.",
            how_to_fix="Look at `runtime.pending_approvals()` for the ids that wait.",
            context={"approval_id": approval_id, "pending_count": pending_count},
        )
        self.approval_id = approval_id
        self.pending_count = pending_count


class RuntimeContextRequiredError(ExecutionError, RuntimeError):
    """A call that makes sense only while a runtime runs the behavior."""

    def __init__(self, *, method: str = "ctx.propose_object") -> None:
        super().__init__(
            f"`{method}` needs a running behavior",
            what_failed=f"`{method}` was called outside the invocation that it belongs to.",
            why="What a behavior does carries its name and cause; outside the invocation it would carry none, or stale ones.",
            how_to_fix=f"Call it inside the behavior's body, and keep no reference to it.\nSee {_FAILURE_MODEL}",
            context={"method": method},
        )
        self.method = method


class InvalidPatchLifecycleState(ExecutionError, ValueError):
    """A patch that was decided already."""

    def __init__(self, *, patch_id: str, current_status: str) -> None:
        super().__init__(
            f"patch {patch_id!r} is {current_status} already",
            what_failed=f"Deciding on patch {patch_id!r}. Nothing was changed.",
            why="A patch goes from proposed to applied or rejected once; both are final.",
            how_to_fix=f"Propose a new patch against the object's present version.\nSee {_FAILURE_MODEL}",
            context={"patch_id": patch_id, "current_status": current_status},
        )
        self.patch_id = patch_id
        self.current_status = current_status


class InvalidPatchOperation(ExecutionError, ValueError):
    """A patch operation other than `update` and `replace`."""


class InternalEvaluatorError(ExecutionError, ValueError):
    """A condition holds what no declaration lets through."""
