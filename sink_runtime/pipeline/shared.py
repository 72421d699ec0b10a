"""What all threads of one sink share, made once from its plan."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from sink_runtime.patience import Patience
from sink_runtime.pipeline.custody import Custody
from sink_runtime.pipeline.gate import Gate
from sink_runtime.pipeline.intake import Intake
from sink_runtime.pipeline.metrics import Metrics
from sink_runtime.pipeline.pace import Pace
from sink_runtime.pipeline.settlement import Settlement
from sink_runtime.plan import SinkPlan


@dataclass(frozen=True)
class Shared:
    """The plan, and the places where threads meet."""

    plan: SinkPlan
    plan_sha256: str
    gate: Gate
    custody: Custody
    intake: Intake
    pace: Pace
    settlement: Settlement
    patience: Patience
    log: structlog.typing.FilteringBoundLogger
    metrics: Metrics

    @classmethod
    def of(
        cls, plan: SinkPlan, plan_sha256: str, patience: Patience, log: structlog.typing.FilteringBoundLogger
    ) -> Shared:
        """All of it at its beginning; the gate is open until somebody closes it."""
        pace = Pace(plan.batch_records, plan.visibility_timeout_seconds)
        return cls(
            plan=plan,
            plan_sha256=plan_sha256,
            gate=Gate(),
            custody=Custody(plan.max_message_bytes, plan.visibility_timeout_seconds),
            intake=Intake(pace, plan.linger_ms / 1000),
            pace=pace,
            settlement=Settlement(),
            patience=patience,
            log=log,
            metrics=Metrics(plan.dataset, plan.version),
        )
