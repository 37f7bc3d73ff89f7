"""The search for tasks as it stands in an address: read, checked, and written again. Pure."""

from typing import Final

from starlette.datastructures import QueryParams

from warmcron.core.selector import Requirement, SelectorError
from warmcron.web import catalog, selector
from warmcron.web.sources import Flag

FIELDS: Final = ("q", "ns", "pool", "is", "labels", "sort")
TEXT_LIMIT: Final = 200
PAGE_DIGITS: Final = 6


def wanted(asked: QueryParams) -> catalog.Wanted:
    """Which tasks are asked for. A selector that is none finds nothing: `fault` says so."""
    flag, sort = asked.get("is", ""), asked.get("sort", "")
    labels: tuple[Requirement, ...] | None
    try:
        labels = selector.parse(asked.get("labels", ""))
    except SelectorError:
        labels = None
    return catalog.Wanted(
        text=asked.get("q", "").strip()[:TEXT_LIMIT],
        namespace=asked.get("ns", "")[:TEXT_LIMIT],
        pool=asked.get("pool", "")[:TEXT_LIMIT],
        flag=Flag(flag) if flag in tuple(Flag) else None,
        labels=labels or (),
        nothing=labels is None,
        sort=sort if sort in catalog.SORTS else "name",
        page=number(asked.get("page", "1")),
    )


def fault(asked: QueryParams) -> str:
    """The part of the label selector that is none; empty when all of it is well."""
    try:
        selector.parse(asked.get("labels", ""))
    except SelectorError as error:
        return str(error)
    return ""


def search(asked: QueryParams) -> dict[str, str]:
    """The fields of the search that say anything."""
    return {name: value for name in FIELDS if (value := asked.get(name, "").strip()[: selector.LONGEST])}


def number(text: str) -> int:
    """A page's number; 1 for what is none."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= PAGE_DIGITS else 1
