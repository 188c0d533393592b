# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions that ECS answers with."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error answer: its code, text, HTTP status, and further members of its shape."""

    def __init__(self, code: str, message: str, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members


def client_error(message: str) -> AwsError:
    return AwsError("ClientException", message)


def invalid_parameter(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def cluster_not_found() -> AwsError:
    return AwsError("ClusterNotFoundException", "Cluster not found.")


def service_not_found() -> AwsError:
    return AwsError("ServiceNotFoundException", "Service not found.")


def service_not_active() -> AwsError:
    return AwsError("ServiceNotActiveException", "Service was not ACTIVE.")


__all__ = [
    "AwsError", "client_error", "cluster_not_found", "invalid_parameter", "service_not_active", "service_not_found",
]  # fmt: skip
