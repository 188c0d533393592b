# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception that modules of this collection fail with, and the sentences for what AWS says.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from typing import Any

try:
    from botocore import exceptions as boto_errors
except ImportError:  # AnsibleAWSModule reports the missing library before anything here is needed
    boto_errors = None

__all__ = [
    "THROTTLING_CODES",
    "OperationFailed",
    "advice_for",
    "aws_said",
    "error_code",
    "from_botocore",
    "is_transient",
]

_EXPIRED = "The credentials have expired: sign in again and repeat the run, which picks up where it was."
_ADVICE_BY_CODE = {
    "AccessDeniedException": "Allow {action} for these credentials (check with: aws sts get-caller-identity).",
    "AccessDenied": "Allow {action} for these credentials (check with: aws sts get-caller-identity).",
    "UnauthorizedOperation": "Allow {action} for these credentials (check with: aws sts get-caller-identity).",
    "ClusterNotFoundException": "Check the name of the cluster and the region (aws ecs list-clusters).",
    "ServiceNotFoundException": "Check the name of the service and its cluster (aws ecs list-services).",
    "ServiceNotActiveException": "The service was deleted or is being deleted: create it again before you go on.",
    "ExpiredTokenException": _EXPIRED,
    "ExpiredToken": _EXPIRED,
    "UnrecognizedClientException": "The credentials are not valid in this account or region: sign in again.",
    "InvalidClientTokenId": "The credentials are not valid in this account or region: sign in again.",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key: check the credentials.",
    "ThrottlingException": "AWS limits the rate of calls in this account: repeat the run in a minute.",
    "LimitExceededException": "AWS limits the rate of calls in this account: repeat the run in a minute.",
    "InvalidParameterException": "Correct what AWS names and run again.",
    "ClientException": "Correct what AWS names and run again.",
    "ServerException": "AWS failed on its own side: repeat the run; see the AWS Health Dashboard if it happens again.",
}
_ADVICE_BY_EXCEPTION = {
    "NoCredentialsError": "Give credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role.",
    "PartialCredentialsError": "Give both the access key and the secret key.",
    "ProfileNotFound": "Check the name of the profile (aws configure list-profiles).",
    "NoRegionError": "Give the region.",
    "EndpointConnectionError": "Check the network, the region's name, and any endpoint set (AWS_ENDPOINT_URL).",
    "ConnectTimeoutError": "Check the network and any proxy or VPC endpoint between here and AWS.",
    "ReadTimeoutError": "Check the network and any proxy or VPC endpoint between here and AWS; then repeat the run.",
    "ConnectionClosedError": "Check the network and any proxy between here and AWS; then repeat the run.",
    "TokenRetrievalError": "Sign in again (aws sso login).",
    "UnauthorizedSSOTokenError": "Sign in again (aws sso login).",
    "SSOTokenLoadError": "Sign in again (aws sso login).",
}


# The rate of calls was too high: nothing was done.
THROTTLING_CODES = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException", "TooManyRequestsException"})
# Refused for now, whatever the HTTP status; 429 and 5xx count without a name.
_TRANSIENT_CODES = THROTTLING_CODES | {
    "LimitExceededException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServerException",
}


class OperationFailed(Exception):
    """A failure as the operator reads it.

    `str(error)` says what was being done, to what, what AWS said and what to do next; `details` is returned beside the
    message, in snake_case, for playbooks that look closer; `code` is AWS's error code where there is one. `transient`
    says that the same call may succeed a little later; the call may have taken effect all the same.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        details: dict[str, Any] | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}
        self.transient = transient


def error_code(error: BaseException) -> str | None:
    """AWS's own error code, such as `ClusterNotFoundException`; None for errors that never reached AWS."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        code = response.get("Error", {}).get("Code")
        return str(code) if code else None
    return None


def aws_said(error: BaseException) -> str:
    """What AWS (or botocore) said, as `Code: message`, without botocore's preamble."""
    response = getattr(error, "response", None)
    if isinstance(response, dict) and response.get("Error"):
        code = response["Error"].get("Code", "error")
        message = response["Error"].get("Message") or response["Error"].get("message") or "no message"
        if message.lstrip().startswith("<"):
            # A proxy or something else that is not AWS's API answered with a page; its text would bury the sentence.
            return f"HTTP {code}: a web page, not an answer of AWS's API"
        return f"{code}: {message}"
    return f"{type(error).__name__}: {error}"


def is_transient(error: BaseException) -> bool:
    """Whether the same call may succeed a little later: AWS limits the rate, or it or the way to it fails for now."""
    if boto_errors is not None and isinstance(error, (boto_errors.HTTPClientError, boto_errors.ConnectionError)):
        return not isinstance(error, boto_errors.SSLError)
    response = getattr(error, "response", None)
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) if isinstance(response, dict) else 0
    return error_code(error) in _TRANSIENT_CODES or status == 429 or status >= 500


def advice_for(error: BaseException, *, action: str) -> str:
    """What the operator can do about it; `action` is the IAM action, such as `ecs:UpdateService`."""
    code = error_code(error)
    template = _ADVICE_BY_CODE.get(code or "") or _ADVICE_BY_EXCEPTION.get(type(error).__name__)
    return template.format(action=action) if template else ""


def from_botocore(error: BaseException, *, doing: str, action: str) -> OperationFailed:
    """The failure for an exception of botocore's. `doing` reads after "Could not", and names the things."""
    sentences = [f"Could not {doing}: {aws_said(error).rstrip('.')}.", advice_for(error, action=action)]
    return OperationFailed(
        " ".join(sentence for sentence in sentences if sentence),
        code=error_code(error),
        details={"error_code": error_code(error), "action": action},
        transient=is_transient(error),
    )


def botocore_errors() -> tuple[type[BaseException], ...]:
    """The two roots of botocore's exceptions; evaluated late because the library may be missing."""
    if boto_errors is None:
        return ()
    return (boto_errors.ClientError, boto_errors.BotoCoreError)
