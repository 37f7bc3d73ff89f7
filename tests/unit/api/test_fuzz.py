"""The API under requests that schemathesis makes from its own description: nothing ends in a fault of ours."""

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import response_schema_conformance

from fakes.web import cluster
from unit.api.test_api import sources
from warmcron.api.app import PREFIX, create

APP: Any = create(sources(cluster(10)))
# Who follows a log stays until the run ends, which here is never.
SCHEMA = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", APP).exclude(path_regex="logs|follow|events")
# What a refusal may be; the description names those that a caller can do something about.
REFUSALS = {400, 404, 405, 406, 409, 413, 415, 422}


@SCHEMA.parametrize()
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked_is_answered_or_refused_in_words(case: Any) -> None:
    answer = case.call(headers={"authorization": "Bearer all"})
    assert answer.status_code in {200, 202, 204} | REFUSALS, answer.text
    if answer.status_code in REFUSALS:
        assert answer.headers["content-type"][0].startswith("application/problem+json")
        assert json.loads(answer.text)["status"] == answer.status_code
    elif answer.text:
        case.validate_response(answer, checks=[response_schema_conformance])


@SCHEMA.parametrize()
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_without_a_token_nothing_is_answered_whatever_is_asked(case: Any) -> None:
    answer = case.call(headers={"authorization": "Bearer nothing"})
    assert answer.status_code in {401, 413}, answer.text  # 413: it was not read either
