"""Notes and tags of a trade by the API: notes are only added, tags come and go."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import told
from dashboard.api.base import ApiView, problem
from dashboard.problems import Unprocessable
from dashboard.told import Json
from trading.models import Trade, TradeNote, TradeTag
from trading.services import notes
from trading.services.notes import NoteRefused

PERMISSION = "trading.add_tradenote"


class Notes(ApiView):
    """GET returns the notes of a trade, oldest first; POST {"text"} adds one."""

    needs = PERMISSION

    def get(self, request: Request, pk: int) -> Response:
        return Response({"results": [_note(note) for note in _trade(pk).notes.order_by("pk")]})

    def post(self, request: Request, pk: int) -> Response:
        try:
            note = notes.write(
                _trade(pk), text=_asked(request, "text"), by=request.user.get_username(), now=timezone.now()
            )
        except NoteRefused as refusal:
            return problem(422, "Nothing was kept", detail=str(refusal), field=refusal.field)
        return Response(_note(note), status=201)


class Tags(ApiView):
    """GET returns the tags of a trade; POST {"name"} puts one on."""

    needs = PERMISSION

    def get(self, request: Request, pk: int) -> Response:
        return Response({"results": [_tag(tag) for tag in _trade(pk).tags.order_by("name")]})

    def post(self, request: Request, pk: int) -> Response:
        try:
            tag = notes.tag(
                _trade(pk), name=_asked(request, "name"), by=request.user.get_username(), now=timezone.now()
            )
        except NoteRefused as refusal:
            return problem(422, "Nothing was kept", detail=str(refusal), field=refusal.field)
        return Response(_tag(tag), status=201)


class Tag(ApiView):
    """DELETE takes a tag off; 404 where it was not there."""

    needs = PERMISSION

    def delete(self, request: Request, pk: int, name: str) -> Response:
        if not notes.untag(_trade(pk), name=name, now=timezone.now()):
            raise Http404("the trade has no such tag")
        return Response(status=204)


def _trade(pk: int) -> Trade:
    trade = Trade.objects.filter(pk=pk).first()
    if trade is None:
        raise Http404("there is no such trade")
    return trade


def _asked(request: Request, name: str) -> str:
    asked: Any = request.data if isinstance(request.data, dict) else {}
    value = asked.get(name)
    if not isinstance(value, str):
        raise Unprocessable(name, "is missing: give it as text")
    return value


def _note(note: TradeNote) -> dict[str, Json]:
    return told.fields(id=note.pk, text=note.text, by=note.by, at=note.at)


def _tag(tag: TradeTag) -> dict[str, Json]:
    return told.fields(name=tag.name, by=tag.by, at=tag.at)
