# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that ask over HTTP; they are called as in ansible.builtin.uri."""

from __future__ import annotations


class ModuleDocFragment:
    """`extends_documentation_fragment: wwhd.qdrant_ops.http_options`."""

    DOCUMENTATION = r"""
options:
  validate_certs:
    description:
      - Whether an invalid TLS certificate is an error.
      - Set it to V(false) only for a server of your own with a self-signed certificate; O(ca_path) is the better way.
    type: bool
    default: true
  ca_path:
    description:
      - A PEM file with the certificates of the authorities to trust, instead of the system's.
    type: path
  client_cert:
    description:
      - A PEM file with the certificate chain to present to the server. It may hold the key as well.
    type: path
  client_key:
    description:
      - A PEM file with the private key of O(client_cert), where that file does not hold it.
    type: path
  ciphers:
    description:
      - The TLS ciphers to offer, as OpenSSL names them; its default where this is left out. Those of TLS 1.3 can't be
        chosen.
    type: list
    elements: str
  unix_socket:
    description:
      - The path of a Unix socket to connect to, whatever the host of O(url) is. A proxy is not used then.
    type: path
  use_proxy:
    description:
      - Whether the proxy of the environment (E(http_proxy), E(https_proxy), E(no_proxy)) is used.
    type: bool
    default: true
  url_username:
    description:
      - The user for HTTP basic or digest authentication.
    type: str
  url_password:
    description:
      - The password of O(url_username).
    type: str
  force_basic_auth:
    description:
      - Whether the user and the password are sent with the first request, rather than when the server asks for them.
    type: bool
    default: false
  use_netrc:
    description:
      - Whether the user and the password are read from C(~/.netrc) (or where E(NETRC) says) if O(url_username) is not
        given. Unlike in M(ansible.builtin.uri), this must be asked for, and does not replace a C(Authorization) header.
    type: bool
    default: false
  decompress:
    description:
      - Whether an answer that says that it is compressed by gzip is unpacked.
    type: bool
    default: true
  http_agent:
    description:
      - What the request gives as its C(User-Agent).
    type: str
    default: ansible-qdrant-ops
  follow_redirects:
    description:
      - Which redirects are followed. Credentials in headers are never sent on to where a redirect leads.
    type: str
    default: safe
    choices:
      all: Every redirect.
      none: No redirect; its own status is the answer.
      safe: Those of GET and HEAD requests.
"""
