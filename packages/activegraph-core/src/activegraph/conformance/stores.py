"""`EventStoreConformance`: the promises of every event store, group by group."""

from __future__ import annotations

from activegraph.conformance.a_length import LengthCases
from activegraph.conformance.a_order import OrderCases
from activegraph.conformance.b_content import ContentCases
from activegraph.conformance.c_appends import AppendCases
from activegraph.conformance.c_transactions import TransactionCases
from activegraph.conformance.d_isolation import IsolationCases
from activegraph.conformance.e_stale_handles import StaleHandleCases
from activegraph.conformance.e_writers import WriterCases
from activegraph.conformance.f_crashes import CrashCases
from activegraph.conformance.g_records import RecordCases
from activegraph.conformance.h_forks import ForkCases
from activegraph.conformance.i_copies import CopyCases
from activegraph.conformance.j_reading import ReadingCases
from activegraph.conformance.k_guard import GuardCases
from activegraph.conformance.l_connections import ConnectionCases
from activegraph.conformance.m_damage import DamageCases

__all__ = ["EventStoreConformance"]


class EventStoreConformance(
    OrderCases,
    LengthCases,
    ContentCases,
    AppendCases,
    TransactionCases,
    IsolationCases,
    StaleHandleCases,
    WriterCases,
    CrashCases,
    RecordCases,
    ForkCases,
    CopyCases,
    ReadingCases,
    GuardCases,
    ConnectionCases,
    DamageCases,
):
    """Promises of every event store. Subclass it, set `__test__ = True`, and give `make_store(run_id)`.

    The other hooks (`cleanup`, `reopen`, `open_read_only`, `url`, `crash_command`, `damage`,
    `set_meta`) are optional; cases that need one that is not there are skipped by its name.
    """

    __test__ = False


EventStoreConformance.__module__ = "activegraph.conformance"
