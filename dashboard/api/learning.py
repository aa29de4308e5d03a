"""Scorecards, models and regimes: read by everybody, decided by those with the permission, with a reason."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import learning, told
from dashboard.api.base import ApiView, problem
from dashboard.listings import BadQuery
from dashboard.models import Scope
from dashboard.told import Json
from mlops import selectors
from mlops.models import Bypass, ModelVersion, Scorecard, TrainingRun
from mlops.selectors import Models
from trading.selectors.regimes import regimes


class AiReport(ApiView):
    """The scorecard of every filter, guard and adviser over ?span=7d, 30d, 90d or all; null before anything has ended."""

    def get(self, request: Request) -> Response:
        span = request.query_params.get("span", "30d")
        if span not in selectors.SPANS:
            raise BadQuery("span", f"{span[:20]!r} is none of {', '.join(selectors.SPANS)}")
        counts = selectors.shadows()
        return Response(
            {
                "span": span,
                "scorecard": _scorecard(selectors.scorecard(selectors.SPANS[span])),
                "shadows": told.fields(open=counts.open, closed=counts.closed, void=counts.void),
                "bypasses": [_bypass(row) for row in selectors.bypasses()],
            }
        )


class MlReport(ApiView):
    """Champions, drift, samples and trainings, with the scorecards of the models."""

    def get(self, request: Request) -> Response:
        kept = selectors.scorecard(selectors.SPANS["all"])
        sources: dict[str, Any] = kept.figures["sources"] if kept else {}
        return Response(
            {
                "models": [_models(each) for each in selectors.models()],
                "scorecards": {name: sources.get(name) for name in ("predictor", "regime_model")},
                "samples": selectors.samples(),
                "trainings": [_training(run) for run in selectors.trainings()],
            }
        )


class ModelList(ApiView):
    """Every model on record, the newest of each kind first."""

    def get(self, request: Request) -> Response:
        return Response({"results": [_version(row) for each in selectors.models() for row in each.versions]})


class ModelAct(ApiView):
    """POST {"reason"} promotes or retires a model; 422 says why not."""

    needs = learning.MAY_DECIDE
    scope = Scope.ADMIN
    act: ClassVar[str] = "promote"

    def post(self, request: Request, pk: int) -> Response:
        try:
            done = learning.decide(
                pk, self.act, reason=_asked(request).get("reason"), by=request.user.get_username(), now=timezone.now()
            )
        except learning.Refused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response(_version(done))


class RollBack(ApiView):
    """POST {"kind", "reason"} makes the champion before this one the champion again."""

    needs = learning.MAY_DECIDE
    scope = Scope.ADMIN

    def post(self, request: Request) -> Response:
        asked = _asked(request)
        try:
            done = learning.roll_back(
                asked.get("kind"), reason=asked.get("reason"), by=request.user.get_username(), now=timezone.now()
            )
        except learning.Refused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response(_version(done))


class Trainings(ApiView):
    """The newest trainings; POST {"kind"} asks for one."""

    needs = learning.MAY_TRAIN

    def get(self, request: Request) -> Response:
        return Response({"results": [_training(run) for run in selectors.trainings(limit=50)]})

    def post(self, request: Request) -> Response:
        try:
            run = learning.train(_asked(request).get("kind"), by=request.user.get_username(), now=timezone.now())
        except learning.Refused as refusal:
            return problem(422, "Nothing was begun", detail=str(refusal), field=refusal.field)
        return Response(_training(run), status=202)


class LiftBypass(ApiView):
    """POST {"source", "reason"} gives a bypassed adviser its word back."""

    needs = learning.MAY_LIFT
    scope = Scope.ADMIN

    def post(self, request: Request) -> Response:
        asked = _asked(request)
        try:
            learning.lift(
                asked.get("source"), reason=asked.get("reason"), by=request.user.get_username(), now=timezone.now()
            )
        except learning.Refused as refusal:
            return problem(422, "Nothing was changed", detail=str(refusal), field=refusal.field)
        return Response({"bypasses": [_bypass(row) for row in selectors.bypasses()]})


class RegimeNow(ApiView):
    """The regime of each watched pair as it was last seen, with what the regime model thinks of it."""

    def get(self, request: Request) -> Response:
        opinions = selectors.last_opinions()
        return Response({"results": [_regime(each, opinions) for each in regimes()]})


def _asked(request: Request) -> dict[str, Any]:
    return request.data if isinstance(request.data, dict) else {}


def _scorecard(row: Scorecard | None) -> dict[str, Json] | None:
    return told.fields(at=row.at, **row.figures) if row else None


def _bypass(row: Bypass) -> dict[str, Json]:
    return told.fields(
        source=row.source,
        began_at=row.began_at,
        reason=row.reason,
        figures=row.figures,
        ended_at=row.ended_at,
        ended_reason=row.ended_reason,
        ended_by=row.ended_by,
    )


def _models(each: Models) -> dict[str, Json]:
    drift = each.drift
    return {
        "kind": each.kind,
        "champion": _version(each.champion) if each.champion else None,
        "drift": told.fields(
            at=drift.at,
            asked=drift.asked,
            worst=drift.worst,
            features=drift.features,
            judged=drift.judged,
            calibration=drift.calibration,
            accuracy=drift.accuracy,
            alerts=drift.alerts,
        )
        if drift
        else None,
    }


def _version(row: ModelVersion) -> dict[str, Json]:
    return told.fields(
        id=row.pk,
        kind=row.kind,
        number=row.number,
        status=row.status,
        reason=row.reason,
        decided_by=row.decided_by_name,
        decided_at=row.decided_at,
        created_at=row.created_at,
        promoted_at=row.promoted_at,
        samples=row.samples,
        venue=row.venue,
        timeframe=row.timeframe,
        trained_until=row.trained_until,
        data_hash=row.data_hash,
        schema_hash=row.schema_hash,
        sha256=row.sha256,
        code_version=row.code_version,
        metrics=row.metrics,
        importance=row.importance,
        influence=row.influence,
        influence_reason=row.influence_reason,
    )


def _training(run: TrainingRun) -> dict[str, Json]:
    return told.fields(
        id=run.pk,
        kind=run.kind,
        status=run.status,
        progress=run.progress,
        requested_by=run.requested_by_name,
        requested_at=run.requested_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        log=run.log,
        error=run.error,
        model=run.version_id,
    )


def _regime(each: Any, opinions: dict[str, Any]) -> dict[str, Json]:
    said = opinions.get(each.symbol)
    return told.fields(
        symbol=each.symbol,
        regime=each.regime,
        at=each.at,
        favourable=said.confidence if said else None,
        approve=said.approve if said else None,
        influence=said.influence if said else None,
        model=said.model if said else "",
        said_at=said.at if said else None,
    )
