"""RFC 9497's VOPRF over ristretto255-SHA512, slow and with every chance passed in: the twin of what `voprf` does, and its appendix A.1.2."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import rbcl

from stillwatch.exchange.matching import group

CONTEXT = b"OPRFV1-" + b"\1" + b"-ristretto255-SHA512"

SEED, INFO = bytes.fromhex("a3" * 32), b"test key"
SECRET = bytes.fromhex("e6f73f344b79b379f1a0dd37e07ff62e38d9f71345ce62ae3a9bc60b04ccd909")
PUBLIC = bytes.fromhex("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e")
FIRST, SECOND = b"\0", b"\x5a" * 17
BLIND = "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706"
OTHER = "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e"
OUT_FIRST = "b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c"
OUT_SECOND = "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6"

VECTORS = [
    (
        [FIRST],
        [BLIND],
        ["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945"],
        ["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e"],
        "ddef93772692e535d1a53903db24367355cc2cc78de93b3be5a8ffcc6985dd066d4346421d17bf5117a2a1ff0fcb2a759f58a539dfbe857a40bce4cf49ec600d",
        OTHER,
        [OUT_FIRST],
    ),
    (
        [SECOND],
        [BLIND],
        ["cc0b2a350101881d8a4cba4c80241d74fb7dcbfde4a61fde2f91443c2bf9ef0c"],
        ["60a59a57208d48aca71e9e850d22674b611f752bed48b36f7a91b372bd7ad468"],
        "401a0da6264f8cf45bb2f5264bc31e109155600babb3cd4e5af7d181a2c9dc0a67154fabf031fd936051dec80b0b6ae29c9503493dde7393b722eafdf5a50b02",
        OTHER,
        [OUT_SECOND],
    ),
    (
        [FIRST, SECOND],
        [BLIND, OTHER],
        ["863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945", "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654"],
        ["aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e", "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a"],
        "cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08",
        "419c4f4f5052c53c45f3da494d2b67b220d02118e0857cdbcf037f9ea84bbe0c",
        [OUT_FIRST, OUT_SECOND],
    ),
]
"Inputs, blinds, blinded elements, evaluated elements, proof, the proof's chance, outputs: test vectors 1 to 3 of the VOPRF mode."


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def scalar_of(data: bytes, label: bytes = b"HashToScalar-") -> bytes:
    return bytes(rbcl.crypto_core_ristretto255_scalar_reduce(group.expand(data, label + CONTEXT)))


def derived(seed: bytes, info: bytes) -> bytes:
    return scalar_of(seed + _sized(info) + b"\0", b"DeriveKeyPair")


def blinded(item: bytes, blind: bytes) -> bytes:
    return group.multiplied(blind, group.element(item, b"HashToGroup-" + CONTEXT))


def _sum(scalars: Sequence[bytes], points: Sequence[bytes]) -> bytes:
    total = group.IDENTITY
    for each, point in zip(scalars, points, strict=True):
        total = bytes(rbcl.crypto_core_ristretto255_add(total, group.multiplied(each, point)))
    return total


def _weights(public: bytes, asked: Sequence[bytes], answered: Sequence[bytes]) -> list[bytes]:
    seed = hashlib.sha512(_sized(public) + _sized(b"Seed-" + CONTEXT)).digest()
    return [
        scalar_of(_sized(seed) + at.to_bytes(2, "big") + _sized(one) + _sized(other) + b"Composite")
        for at, (one, other) in enumerate(zip(asked, answered, strict=True))
    ]


def _challenge(public: bytes, points: Sequence[bytes]) -> bytes:
    return scalar_of(b"".join(map(_sized, (public, *points))) + b"Challenge")


def answer(secret: bytes, asked: Sequence[bytes], chance: bytes) -> tuple[list[bytes], bytes]:
    public = bytes(rbcl.crypto_scalarmult_ristretto255_base(secret))
    answered = [group.multiplied(secret, each) for each in asked]
    weights = _weights(public, asked, answered)
    one = _sum(weights, asked)
    other = group.multiplied(secret, one)
    challenge = _challenge(public, (one, other, bytes(rbcl.crypto_scalarmult_ristretto255_base(chance)), group.multiplied(chance, one)))
    spread = rbcl.crypto_core_ristretto255_scalar_mul(challenge, secret)
    return answered, challenge + bytes(rbcl.crypto_core_ristretto255_scalar_sub(chance, spread))


def holds(public: bytes, asked: Sequence[bytes], answered: Sequence[bytes], proof: bytes) -> bool:
    challenge, spread = proof[:32], proof[32:]
    weights = _weights(public, asked, answered)
    one, other = _sum(weights, asked), _sum(weights, answered)
    base = bytes(rbcl.crypto_scalarmult_ristretto255_base(spread))
    first = bytes(rbcl.crypto_core_ristretto255_add(base, group.multiplied(challenge, public)))
    second = _sum((spread, challenge), (one, other))
    return _challenge(public, (one, other, first, second)) == challenge


def output(item: bytes, blind: bytes, answered: bytes) -> bytes:
    return hashlib.sha512(_sized(item) + _sized(group.multiplied(group.inverse(blind), answered)) + b"Finalize").digest()
