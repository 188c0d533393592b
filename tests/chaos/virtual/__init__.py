# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the real modules against the sandbox's ECS in one process, in virtual time.

What stands in for something: `clock` and `operators` for time, `transport` for HTTP, `containers` for processes (the
cleaner is the real script, on a real folder with real locks), `balancer` for the load balancer, `role` for
ansible-playbook. Everything else is the product's and the sandbox's own code.
"""
