"""What Debian's binding of librdkafka cannot ask for yet: users of SCRAM, access rules, quotas. Written as bytes, in the
flexible versions of Kafka's protocol; every name is shorter than 127 bytes.
"""

import hashlib
import socket
import struct

TOPIC, GROUP = 2, 3
READ, WRITE = 3, 4

_LITERAL, _ALLOW = 3, 3
_CREATE_ACLS, _ALTER_CLIENT_QUOTAS, _ALTER_USER_SCRAM_CREDENTIALS = 30, 49, 51
_SCRAM = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
_ITERATIONS = 4096
_TAGS = b"\0"
_TIMEOUT_S = 10


def set_scram_password(address, user, mechanism, password):
    code, hash_name = _SCRAM[mechanism]
    salt = b"a salt of any kind"
    salted = hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, _ITERATIONS)
    upsertion = _text(user) + struct.pack(">bi", code, _ITERATIONS) + _bytes(salt) + _bytes(salted) + _TAGS
    answer = _ask(address, _ALTER_USER_SCRAM_CREDENTIALS, 0, _array() + _array(upsertion) + _TAGS)
    # The throttle time, the count of results, and the first one's user stand before its error.
    _want_no_error("set a password", answer, 4 + 1 + len(_text(user)))


def allow(address, user, resource_type, name, operation):
    rule = struct.pack(">b", resource_type) + _text(name) + struct.pack(">b", _LITERAL)
    rule += _text(f"User:{user}") + _text("*") + struct.pack(">bb", operation, _ALLOW) + _TAGS
    _want_no_error("add a rule", _ask(address, _CREATE_ACLS, 3, _array(rule) + _TAGS), 4 + 1)


def set_client_quota(address, client_id, key, value):
    entity = _text("client-id") + _text(client_id) + _TAGS
    operation = _text(key) + struct.pack(">d?", value, False) + _TAGS
    entry = _array(entity) + _array(operation) + _TAGS
    answer = _ask(address, _ALTER_CLIENT_QUOTAS, 1, _array(entry) + struct.pack(">?", False) + _TAGS)
    _want_no_error("set a quota", answer, 4 + 1)


def _ask(address, api_key, version, body):
    """The body of the answer."""
    host, port = address.rsplit(":", 1)
    client_id = b"administration"
    header = struct.pack(">hhih", api_key, version, 1, len(client_id)) + client_id + _TAGS
    with socket.create_connection((host, int(port)), _TIMEOUT_S) as connection:
        connection.sendall(struct.pack(">i", len(header + body)) + header + body)
        with connection.makefile("rb") as incoming:
            (length,) = struct.unpack(">i", incoming.read(4))
            answer = incoming.read(length)
    # The correlation id and the header's tags.
    return answer[4 + 1 :]


def _want_no_error(what, answer, at):
    (error,) = struct.unpack_from(">h", answer, at)
    if error != 0:
        raise RuntimeError(f"cannot {what}: got error {error}, want none")


def _text(value):
    return _bytes(value.encode())


def _bytes(value):
    return bytes([len(value) + 1]) + value


def _array(*items):
    return bytes([len(items) + 1]) + b"".join(items)
