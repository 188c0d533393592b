"""Sentences for what botocore raises."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import (
    OperationFailed,
    advice_for,
    aws_said,
    botocore_errors,
    error_code,
    from_botocore,
)


def client_error(code: str, message: str = "AWS's words.") -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeServices")


def test_the_sentence_has_all_four_parts() -> None:
    failure = from_botocore(
        client_error("ClusterNotFoundException", "Cluster not found."),
        doing="describe the service wwhd-backend in cluster nope",
        action="ecs:DescribeServices",
    )
    assert isinstance(failure, OperationFailed)
    assert str(failure) == (
        "Could not describe the service wwhd-backend in cluster nope: ClusterNotFoundException: Cluster not found. "
        "Check the name of the cluster and the region (aws ecs list-clusters)."
    )
    assert failure.code == "ClusterNotFoundException"
    assert failure.details == {"error_code": "ClusterNotFoundException", "action": "ecs:DescribeServices"}


def test_a_lack_of_permission_names_the_action() -> None:
    assert "Allow ecs:RunTask" in advice_for(client_error("AccessDeniedException"), action="ecs:RunTask")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.NoCredentialsError(), "Give credentials"),
        (exceptions.NoRegionError(), "Give the region"),
        (exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "Check the network"),
        (exceptions.ProfileNotFound(profile="x"), "Check the name of the profile"),
        (client_error("ThrottlingException"), "repeat the run in a minute"),
        (client_error("ExpiredTokenException"), "sign in again"),
        (client_error("InvalidParameterException"), "Correct what AWS names and run again."),
    ],
)
def test_advice(error: Exception, words: str) -> None:
    failure = from_botocore(error, doing="do it", action="ecs:DoIt")
    assert words in str(failure)
    assert str(failure).startswith("Could not do it: ")


def test_an_unknown_code_gets_no_advice_and_no_trailing_blank() -> None:
    failure = from_botocore(client_error("NewException", "Words"), doing="do it", action="ecs:DoIt")
    assert str(failure) == "Could not do it: NewException: Words."


@pytest.mark.parametrize(
    ("response", "said"),
    [
        ({"Error": {"Code": "X", "Message": "m"}}, "X: m"),
        ({"Error": {"Code": "X", "message": "m"}}, "X: m"),
        ({"Error": {"Code": "X"}}, "X: no message"),
        ({"Error": {"Code": "502", "Message": " <!doctype html>"}}, "HTTP 502: a web page, not an answer of AWS's API"),
    ],
)
def test_what_aws_said(response: Any, said: str) -> None:
    assert aws_said(exceptions.ClientError(response, "Op")) == said


def test_errors_that_never_reached_aws_have_no_code() -> None:
    error = exceptions.NoCredentialsError()
    assert error_code(error) is None
    assert aws_said(error).startswith("NoCredentialsError: ")


def test_both_roots_are_caught() -> None:
    assert isinstance(client_error("X"), botocore_errors())
    assert isinstance(exceptions.NoRegionError(), botocore_errors())
