"""The metrics border; the definitions are part of core."""

from activegraph.metrics import (
    METRIC_BY_NAME,
    METRIC_NAMES,
    Metrics,
    MetricSpec,
    NoOpMetrics,
    validate_cardinality_rule,
)

__all__ = ["METRIC_BY_NAME", "METRIC_NAMES", "MetricSpec", "Metrics", "NoOpMetrics", "validate_cardinality_rule"]
