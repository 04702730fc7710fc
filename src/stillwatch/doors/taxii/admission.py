"""Who asks, and whether they may: certificate, signature or password, each good and all of one member. Whatever is not proved is nobody's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.doors.taxii.messages import Fault, Request
from stillwatch.doors.taxii.passwords import Users
from stillwatch.doors.taxii.settings import Root
from stillwatch.exchange.members.directory import Directory
from stillwatch.exchange.members.envelope import Refused
from stillwatch.exchange.members.signatures import Message, Nonces, signer_of

_MOST_BUCKETS = 10_000


@dataclass(frozen=True)
class Caller:
    """Who asks, and how they proved it."""

    name: str
    proofs: frozenset[str]

    def enters(self, root: Root) -> bool:
        """Whether everything that an API root wants was shown."""
        return root.proof <= self.proofs


class Admission:
    """Tells who asks. `directory` gives the directory of members as it is now; None where there is none."""

    def __init__(self, url: str, directory: Callable[[], Directory | None], nonces: Nonces, users: dict[str, str]) -> None:
        self._url, self._directory, self._nonces, self._users = url, directory, nonces, Users(users)

    def who(self, request: Request, now: int) -> Caller:
        """The one who asks. Raises: Fault 401 where nothing was shown, or anything shown is not good, or two of them are of two members."""
        names: set[str] = set()
        proofs: set[str] = set()
        directory = self._directory()
        if request.certificate is not None and directory is not None:
            shown = directory.who_shows(request.certificate, now)
            if shown is None:
                raise self._nobody()
            names.add(shown)
            proofs.add("certificate")
        if request.header("signature-input") is not None or request.header("signature") is not None:
            if directory is None:
                raise self._nobody()
            names.add(self._signer(request, directory, now))
            proofs.add("signature")
        authorization = request.header("authorization")
        if authorization is not None:
            user = self._users.known(authorization)
            if user is None:
                raise self._nobody()
            names.add(user)
            proofs.add("basic")
        if len(names) != 1:
            raise self._nobody()
        return Caller(names.pop(), frozenset(proofs))

    def _signer(self, request: Request, directory: Directory, now: int) -> str:
        headers: dict[str, str] = {}
        for name, value in request.headers:
            key = name.lower()
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        try:
            return signer_of(Message(request.method, self._url + request.target, headers, request.body), directory, self._nonces, now)
        except Refused as error:
            raise self._nobody() from error

    def _nobody(self) -> Fault:
        return Fault(401, "Unauthorized", "Nobody that this server knows is shown to ask.", WWW_Authenticate='Basic realm="taxii"')


class Pace:
    """How often each may ask: so many requests a second in the long run, twice as many at once. Safe to use from several threads."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> None:
        """Count one request. Raises: Fault 429."""
        with self._lock:
            now, most = self._clock(), max(1.0, 2 * self._rate)
            left, since = self._left.get(name, (most, now))
            left = min(most, left + (now - since) * self._rate)
            if left < 1:
                raise Fault(429, "Too Many Requests", "This is more than the server's settings allow.", Retry_After=str(max(1, round((1 - left) / self._rate))))
            if len(self._left) >= _MOST_BUCKETS:
                # Who asked longest ago has a full measure again, or nearly.
                self._left = dict(sorted(self._left.items(), key=lambda each: each[1][1])[_MOST_BUCKETS // 2 :])
            self._left[name] = (left - 1, now)
