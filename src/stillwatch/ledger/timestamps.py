"""RFC 3161 timestamps (`rfc3161-client`): an authority outside the members says that a checkpoint existed at a time.

What is sent to the authority is a hash of the checkpoint and a nonce, which the library draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from stillwatch.errors import StillwatchError, UserError

try:
    import rfc3161_client
except ImportError as error:  # the bare install asks no authority
    raise UserError("rfc3161-client is not installed", "timestamps", 'pip install "stillwatch[exchange]"') from error


class BadTimestamp(StillwatchError):
    """A timestamp that does not hold."""

    def __init__(self, what: str) -> None:
        super().__init__(what, "timestamp")


@dataclass(frozen=True)
class Question:
    """A request to an authority."""

    body: bytes
    "DER, to be posted as `application/timestamp-query`."
    nonce: int | None
    "What the answer must repeat: an old answer is not taken for a new one."


def ask(data: bytes) -> Question:
    """A request to timestamp some bytes by their SHA-512, such as a checkpoint. Raises: ValueError for no bytes."""
    made = rfc3161_client.TimestampRequestBuilder().data(data).hash_algorithm(rfc3161_client.HashAlgorithm.SHA512).build()
    return Question(made.as_bytes(), made.nonce)


def verify(answer: bytes, data: bytes, roots: Sequence[bytes], nonce: int | None = None) -> int:
    """The time, in microseconds since 1970, at which an authority saw the bytes.

    `roots` are PEM certificates that are trusted; without one nothing is. `nonce` is that of the question, None when a kept answer is looked at again.
    Raises: BadTimestamp for an answer that is none, of other bytes, of another authority or to another question.
    """
    try:
        trusted = [x509.load_pem_x509_certificate(each) for each in roots]
        verifier = rfc3161_client.VerifierBuilder(roots=trusted, nonce=nonce).build()
        told = rfc3161_client.decode_timestamp_response(answer)
        verifier.verify_message(told, data)
        # The library forgets the signers that it has looked at, so the time is read from the answer anew.
        return round(rfc3161_client.decode_timestamp_response(answer).tst_info.gen_time.timestamp() * 1_000_000)
    except (ValueError, TypeError, rfc3161_client.VerificationError) as error:
        raise BadTimestamp(str(error) or "it cannot be read") from error
