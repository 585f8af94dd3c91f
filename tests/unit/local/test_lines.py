"""Lines over real pipes and files."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from gatekit.local.lines import LineReader, LineTooLong, LineWriter


async def read_all(fd: int, max_bytes: int = 100) -> list[bytes | str]:
    return [
        "too long" if isinstance(line, LineTooLong) else line
        async for line in LineReader(fd, max_bytes).lines()
    ]


async def test_lines_however_they_are_cut() -> None:
    source, sink = os.pipe()
    reading = asyncio.ensure_future(read_all(source))
    for piece in (b"on", b"e\ntwo\r\n\n  \nth", b"ree\n", b"and a rest"):
        os.write(sink, piece)
        await asyncio.sleep(0.01)
    os.close(sink)
    assert await asyncio.wait_for(reading, 5) == [b"one", b"two\r", b"three", b"and a rest"]
    os.close(source)


async def test_a_line_that_is_too_long_is_skipped_alone() -> None:
    source, sink = os.pipe()
    reading = asyncio.ensure_future(read_all(source))
    os.write(sink, b"a\n" + b"x" * 500)
    await asyncio.sleep(0.02)
    os.write(sink, b"x" * 500 + b"\nb\n" + b"y" * 101 + b"\n" + b"z" * 100 + b"\n")
    os.close(sink)
    assert await asyncio.wait_for(reading, 5) == [b"a", "too long", b"b", "too long", b"z" * 100]
    os.close(source)


async def test_a_file_as_input(tmp_path: Path) -> None:
    path = tmp_path / "requests"
    path.write_bytes(b"1\n" * 5000)
    with path.open("rb") as file:
        assert len(await read_all(file.fileno())) == 5000


async def test_a_reader_that_pauses_holds_its_writer_up_and_loses_nothing() -> None:
    source, sink = os.pipe()
    writer = LineWriter(sink)
    writing = asyncio.gather(*(writer.write(b"%06d" % number) for number in range(3000)))
    await asyncio.sleep(0.05)
    assert await asyncio.to_thread(os.read, source, 7) == b"000000\n"
    assert not writing.done() or os.fstat(sink)
    got = b""
    while got.count(b"\n") < 2999:
        got += await asyncio.to_thread(os.read, source, 65536)
    await asyncio.wait_for(writing, 5)
    assert got.splitlines() == [b"%06d" % number for number in range(1, 3000)]
    os.close(source)
    os.close(sink)


async def test_a_message_larger_than_a_pipe() -> None:
    source, sink = os.pipe()
    big = os.urandom(1 << 20).hex().encode()
    writing = asyncio.ensure_future(LineWriter(sink).write(big))
    got = b""
    while not got.endswith(b"\n"):
        got += await asyncio.to_thread(os.read, source, 1 << 20)
    assert got == big + b"\n"
    await writing
    os.close(source)
    os.close(sink)


async def test_line_ends_inside_a_message_do_not_break_it() -> None:
    source, sink = os.pipe()
    await LineWriter(sink).write(b'{"a":\r\n1}')
    assert os.read(source, 100) == b'{"a":  1}\n'
    os.close(source)
    os.close(sink)


async def test_it_is_noticed_when_nobody_reads_any_more() -> None:
    source, sink = os.pipe()
    writer = LineWriter(sink)
    left = asyncio.ensure_future(writer.left())
    await asyncio.sleep(0)
    assert not left.done()
    os.close(source)
    await asyncio.wait_for(left, 5)
    await asyncio.wait_for(writer.write(b"into the void"), 5)
    assert writer.closed.is_set()
    await asyncio.wait_for(writer.write(b"and again"), 5)
    os.close(sink)
