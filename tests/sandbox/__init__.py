# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWS that runs on one machine: what `-e env=local` and the tests talk to."""

from __future__ import annotations

import os

# moto reads these when it is imported, and this package is imported before any module of it that imports moto: the
# account of the world, and no catalogue of 500 machine images.
os.environ["MOTO_ACCOUNT_ID"] = "018025611404"
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
