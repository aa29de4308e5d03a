"""Every table of the mlops app, importable from here."""

from mlops.models.gemini import ChatKind, ChatMessage, ChatSource, GeminiState, GeminiUsage
from mlops.models.learning import (
    ChallengerAnswer,
    DriftReport,
    ModelKind,
    ModelStatus,
    ModelVersion,
    Sample,
    SampleSource,
    TrainingRun,
)
from mlops.models.shadow import Bypass, Scorecard, ShadowOutcome, ShadowState

__all__ = [
    "Bypass",
    "ChallengerAnswer",
    "ChatKind",
    "ChatMessage",
    "ChatSource",
    "DriftReport",
    "GeminiState",
    "GeminiUsage",
    "ModelKind",
    "ModelStatus",
    "ModelVersion",
    "Sample",
    "SampleSource",
    "Scorecard",
    "ShadowOutcome",
    "ShadowState",
    "TrainingRun",
]
