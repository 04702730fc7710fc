"""A matching's arithmetic dealt to processes: the same bytes as in one, on every core.

Each process keeps the blinds of the batches that it masked, and gets their answers back. Keys and items go to it through a pipe, as plain bytes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType

from stillwatch.errors import StillwatchError
from stillwatch.exchange.matching import verified
from stillwatch.exchange.matching.refusals import Refused
from stillwatch.exchange.matching.work import Here

BLIND, ANSWER, FINISH, MASK, RAISED, LIFTED = range(6)
TAKEN, REFUSED = b"\0", b"\1"


class Processes:
    """`Work` on several processes, for one matching at a time. To be closed, or used in a `with`."""

    def __init__(self, count: int | None = None) -> None:
        """`count` processes; as many as this one may use by default. They begin with the first question."""
        self._count = count or len(os.sched_getaffinity(0))
        self._pipes: list[Connection] = []
        self._running: list[BaseProcess] = []
        self._blinded: list[int] = []

    def _begin(self) -> None:
        """The processes, once there is something to do: what is refused before costs none."""
        context = get_context("spawn")
        while len(self._pipes) < self._count:
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(mine)
            self._running.append(process)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes, so that their time can be measured."""
        return [process.pid for process in self._running if process.pid is not None]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes; blinds that are still waiting are lost."""
        for pipe in self._pipes:
            pipe.close()
        for process in self._running:
            process.join()

    def blind(self, inputs: Sequence[bytes]) -> bytes:
        """Masked items, in order."""
        shares = self._dealt(len(inputs))
        self._blinded = [stop - start for start, stop in shares]
        return self._all(BLIND, [list(inputs[start:stop]) for start, stop in shares])

    def answer(self, seed: bytes, info: bytes, asked: bytes) -> bytes:
        """Answers with proofs: batches never cross processes, so they are those of one process."""
        return self._all(ANSWER, [[seed, info, asked[32 * start : 32 * stop]] for start, stop in self._dealt(-(-len(asked) // 32))])

    def finish(self, answered: bytes, public: bytes) -> bytes:
        """Tags in order, once every proof holds."""
        shares, at = [], 0
        for count in self._blinded:
            stop = at + verified.answered_length(count)
            shares.append([answered[at:stop], public])
            at = stop
        if at != len(answered):
            raise Refused("size")
        self._blinded = []
        return self._all(FINISH, shares)

    def mask(self, seed: bytes, info: bytes, inputs: Sequence[bytes]) -> bytes:
        """Tags of own items, in order."""
        return self._all(MASK, [[seed, info, *inputs[start:stop]] for start, stop in self._dealt(len(inputs))])

    def raised(self, key: bytes, inputs: Sequence[bytes]) -> bytes:
        """Own elements times a scalar, in order."""
        return self._all(RAISED, [[key, *inputs[start:stop]] for start, stop in self._dealt(len(inputs))])

    def lifted(self, key: bytes, points: bytes) -> bytes:
        """A peer's elements times a scalar, in order."""
        return self._all(LIFTED, [[key, points[32 * start : 32 * stop]] for start, stop in self._dealt(-(-len(points) // 32))])

    def _dealt(self, count: int) -> list[tuple[int, int]]:
        """Spans of whole batches, one a process; the last may be short."""
        batches = -(-count // verified.BATCH)
        edges = [min(count, verified.BATCH * (batches * i // self._count)) for i in range(self._count)] + [count]
        return list(zip(edges[:-1], edges[1:], strict=True))

    def _all(self, task: int, shares: Sequence[Sequence[bytes]]) -> bytes:
        self._begin()
        try:
            for pipe, share in zip(self._pipes, shares, strict=True):
                pipe.send_bytes(_frame(task, share))
            # Every answer is read before any is judged: a pipe with an answer left in it would give it to the next question.
            answers = [pipe.recv_bytes() for pipe in self._pipes]
        except (EOFError, OSError) as error:
            raise StillwatchError("a process that did the arithmetic ended", "matching", "see whether memory is short, and match again") from error
        for answer in answers:
            if answer[:1] == REFUSED:
                raise Refused(answer[1:].decode())
        return b"".join(answer[1:] for answer in answers)


def _frame(task: int, share: Sequence[bytes]) -> bytes:
    return bytes([task]) + struct.pack(f">I{len(share)}I", len(share), *map(len, share)) + b"".join(share)


def _unframed(frame: bytes) -> tuple[int, list[bytes]]:
    (count,) = struct.unpack_from(">I", frame, 1)
    lengths = struct.unpack_from(f">{count}I", frame, 5)
    at, out = 5 + 4 * count, []
    for length in lengths:
        out.append(frame[at : at + length])
        at += length
    return frame[0], out


def _serve(pipe: Connection) -> None:
    """A process: takes questions until the pipe is closed."""
    work = Here()
    tasks: dict[int, Callable[[list[bytes]], bytes]] = {
        BLIND: work.blind,
        ANSWER: lambda share: work.answer(*share),
        FINISH: lambda share: work.finish(*share),
        MASK: lambda share: work.mask(share[0], share[1], share[2:]),
        RAISED: lambda share: work.raised(share[0], share[1:]),
        LIFTED: lambda share: work.lifted(*share),
    }
    while True:
        try:
            task, share = _unframed(pipe.recv_bytes())
        except EOFError:
            return
        try:
            pipe.send_bytes(TAKEN + tasks[task](share))
        except Refused as refused:
            pipe.send_bytes(REFUSED + refused.code.encode())
