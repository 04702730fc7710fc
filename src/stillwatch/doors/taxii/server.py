"""HTTP around the answers: TLS with the members' certificates, limits, threads, and an end that finishes what was begun (aiohttp)."""

from __future__ import annotations

import asyncio
import logging
import signal
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from stillwatch.doors.taxii.adding import Check, well_formed
from stillwatch.doors.taxii.admission import Admission
from stillwatch.doors.taxii.answers import Taxii
from stillwatch.doors.taxii.desks import Desk
from stillwatch.doors.taxii.messages import Answer, Fault, Request
from stillwatch.doors.taxii.settings import Settings
from stillwatch.errors import StillwatchError, UserError
from stillwatch.exchange.members.directory import Directory
from stillwatch.exchange.members.signatures import AHEAD, Nonces
from stillwatch.store import directories
from stillwatch.store.shared.opening import opened

Desks = Callable[[Callable[[], Directory]], Mapping[str, Desk]]
"Makes the desks of a server."

_LOG = logging.getLogger("stillwatch.taxii")
_THREADS = 4
_LAST_ANSWERS = 10.0
"Seconds that requests under way have when the server ends."
_BODY = 30.0
"Seconds within which a request is read whole: whoever is slower holds memory and gives nothing."


def _now() -> int:
    return time.time_ns() // 1000


class Members:
    """The directory of members as it is now: read again when its file changes. One that is not good leaves the last good one, until that expires."""

    def __init__(self, path: Path, roots: tuple[Path, ...], context: ssl.SSLContext | None) -> None:
        self._path, self._roots, self._context = path, roots, context
        self._stamp = path.stat().st_mtime_ns if path.exists() else None
        self._directory = directories.load(path, roots, _now())
        self._trust()

    def __call__(self) -> Directory:
        """The directory."""
        stamp = self._path.stat().st_mtime_ns if self._path.exists() else None
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._directory = directories.load(self._path, self._roots, _now())
                self._trust()
            except StillwatchError as error:
                _LOG.error("the new directory of members is not used: %s", error)
        return self._directory

    def _trust(self) -> None:
        """A certificate of the directory is trusted by itself. One that left it still passes TLS until the server starts anew, and then nothing more."""
        pems = [load_der_x509_certificate(each).public_bytes(Encoding.PEM).decode() for member in self._directory.members for each in member.certificates]
        if self._context is not None and pems:
            self._context.load_verify_locations(cadata="\n".join(pems))


def served_context(settings: Settings, at_desks: bool = False) -> ssl.SSLContext | None:
    """TLS as the settings have it; None without a certificate. `at_desks`: whether there are desks, which want certificates. Raises: UserError."""
    if settings.certificate is None or settings.key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise UserError("the server's certificate or key cannot be used", str(settings.certificate), "name PEM files that belong together") from error
    proofs = [root.proof for root in settings.roots.values()]
    if at_desks or any("certificate" in each for each in proofs):
        # Where every root wants one, whoever has none does not even come to speak.
        context.verify_mode = ssl.CERT_REQUIRED if all("certificate" in each for each in proofs) else ssl.CERT_OPTIONAL
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def serve(settings: Settings, *, check: Check = well_formed, desks: Desks | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are then finished.

    `desks`: what else is answered, given the directory as it is at each moment; `ready` is told the address once it listens. Raises: UserError.
    """
    if desks is not None and (settings.directory is None or settings.certificate is None):
        raise UserError("what members ask of one another wants TLS and a directory of members", settings.url, "write certificate, key, directory and roots")
    context = served_context(settings, desks is not None)
    members = Members(settings.directory, settings.roots_of_trust, context) if settings.directory is not None else None
    shelves = opened(settings.store)
    # Signatures count from the next whole second after all that may have been used before a restart, those dated ahead too, and nobody can come before it.
    since = ((_now() + AHEAD) // 1_000_000 + 1) * 1_000_000
    admission = Admission(settings.url, members or (lambda: None), Nonces(since), settings.users)
    taxii = Taxii(settings, shelves, admission, check, desks(members) if desks is not None and members is not None else None)
    try:
        with ThreadPoolExecutor(_THREADS, "taxii") as threads:
            time.sleep(max(0.0, (since - _now()) / 1e6))
            asyncio.run(_serve(settings, taxii, context, threads, ready or (lambda address: None)))
    finally:
        shelves.close()


async def _serve(settings: Settings, taxii: Taxii, context: ssl.SSLContext | None, threads: ThreadPoolExecutor, ready: Callable[[str], None]) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)

    async def handle(incoming: web.BaseRequest) -> web.StreamResponse:
        try:
            request = await asyncio.wait_for(_request(incoming, settings.body), _BODY)
        except Fault as fault:
            answer = fault.answer()
        except TimeoutError:
            answer = Fault(408, "Request Timeout", "The request did not come whole in time.", Connection="close").answer()
        except (web.RequestPayloadError, HttpProcessingError, ClientPayloadError):
            answer = Fault(400, "ProcessingError", "The content is not what its headers say.", Connection="close").answer()
        else:
            answer = await loop.run_in_executor(threads, taxii.answer, request)
        return _response(answer)

    runner = web.ServerRunner(web.Server(handle, access_log=None, keepalive_timeout=75), shutdown_timeout=_LAST_ANSWERS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1] if runner.addresses else settings.port
        ready(f"{'http' if context is None else 'https'}://{settings.host}:{port}")
        await ended.wait()
    except OSError as error:
        raise UserError(f"cannot listen ({error.strerror})", f"{settings.host}:{settings.port}", "name another address, or end what listens there") from error
    finally:
        await runner.cleanup()


async def _request(incoming: web.BaseRequest, most: int) -> Request:
    """A request as a plain value. Raises: Fault 413, 400."""
    if (incoming.content_length or 0) > most:
        raise _too_large(most)
    if incoming.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Fault(415, "Unsupported Media Type", "Content is taken as it is, not packed.", Connection="close")
    if incoming.headers.get("Expect", "").lower() == "100-continue" and incoming.transport is not None:
        incoming.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    async for chunk in incoming.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    target = incoming.raw_path if incoming.raw_path.startswith("/") else incoming.rel_url.raw_path_qs
    try:
        query = tuple((str(name), str(value)) for name, value in incoming.query.items())
        path = incoming.path
        for each in (path, *(text for pair in query for text in pair)):
            each.encode()
    except (UnicodeError, ValueError) as error:
        raise Fault(400, "ProcessingError", "The path or query is not UTF-8.") from error
    secure = incoming.transport.get_extra_info("ssl_object") if incoming.transport is not None else None
    return Request(
        incoming.method, target, path, query, tuple((str(name), str(value)) for name, value in incoming.headers.items()), bytes(body),
        secure.getpeercert(binary_form=True) if secure is not None else None, incoming.remote or "",
    )  # fmt: skip


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers={**answer.headers, "Content-Type": answer.kind, "Cache-Control": "no-store"})


def _too_large(most: int) -> Fault:
    return Fault(413, "Request Entity Too Large", f"A request has {most} bytes at most.", Connection="close")
