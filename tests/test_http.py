"""The HTTP gateway's addresses, against a small fake of the peer, over real sockets on loopback."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from http_fake import FakePeer, Web, raw, serving
from yarl import URL

from tanist.peer.application.events import Published
from tanist.peer.apps.calculator import Calculator
from tanist.peer.errors import CallError, NoServer, Refused, UnknownOutcome, WriteSuperseded
from tanist.peer.gateways import http_events, http_requests
from tanist.peer.gateways.http import AddressInUse, HttpGateway


@pytest.fixture
async def web() -> AsyncIterator[Web]:
    async with serving() as web:
        yield web


async def test_a_command_is_called_with_its_arguments_in_order_and_answered_with_a_receipt(web: Web) -> None:
    status, said = await web.ask(
        "POST", "/apps/notes/put?timeout=2.5", json={"value": "v", "key": "k"}, headers={"Idempotency-Key": "once"}
    )
    assert status == 200
    receipt = {"term": {"number": 3, "holder": "p1"}, "index": 7, "durability": "heir", "reach": 2, "members": 3}
    assert said == {"result": "OK", "receipt": receipt}
    assert web.peer.calls == [("call", "notes", "put", ("k", "v"), "once", 2.5)]


async def test_a_default_left_out_in_the_middle_is_filled_in(web: Web) -> None:
    await web.ask("POST", "/apps/notes/put", json={"key": "k", "value": "v", "tags": ["a"]})
    assert web.peer.calls[0][3] == ("k", "v", 1, ["a"])


async def test_bytes_travel_as_text_where_they_are_utf8_and_as_base64_where_not(web: Web) -> None:
    web.peer.answer = [b"caf\xc3\xa9", b"\xff\x00", {"k": b"\xfe"}]
    _, said = await web.ask("POST", "/apps/notes/put", json={"key": {"base64": "/wA="}, "value": "v"})
    assert web.peer.calls[0][3] == (b"\xff\x00", "v")
    assert said["result"] == ["café", {"base64": "/wA="}, {"k": {"base64": "/g=="}}]
    status, code, message = await web.error("POST", "/apps/notes/put", json={"key": {"base64": "?"}, "value": ""})
    assert (status, code) == (400, "bad_request")
    assert "base64" in message


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "JSON"),
        (b'{"key": 1e}', "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[1]", "array"),
        (b"null", "null"),
        (b"[" * 100_000, "nested"),
        (b'{"key": "k"}', "'value'"),
        (b'{"key": "k", "value": "v", "colour": 1}', "'colour'"),
    ],
)
async def test_a_wrong_body_is_400_naming_what_is_wrong(web: Web, body: bytes, named: str) -> None:
    status, code, message = await web.error("POST", "/apps/notes/put", data=body)
    assert (status, code) == (400, "bad_request")
    assert named in message
    assert web.peer.calls == []


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "301", "soon", ""])
async def test_a_senseless_timeout_is_400(web: Web, timeout: str) -> None:
    status, _, message = await web.error("POST", f"/apps/notes/put?timeout={timeout}", json={"key": "k", "value": ""})
    assert status == 400
    assert "timeout" in message


@pytest.mark.parametrize("key", ["", "k" * 257])
async def test_a_senseless_idempotency_key_is_400(web: Web, key: str) -> None:
    headers = {"Idempotency-Key": key}
    status, _, message = await web.error("POST", "/apps/notes/put", json={"key": "", "value": ""}, headers=headers)
    assert (status, "Idempotency-Key" in message) == (400, True)


@pytest.mark.parametrize(
    ("error", "status"),
    [(Refused("taken", "name_taken"), 409), (NoServer("nobody serves"), 503), (UnknownOutcome("perhaps"), 504)],
)
async def test_errors_of_the_call_keep_code_message_and_status(web: Web, error: CallError, status: int) -> None:
    web.peer.answer = error
    answered = await web.error("POST", "/apps/notes/put", json={"key": "k", "value": "v"})
    assert answered == (status, error.code, error.message)


async def test_a_bug_is_500_without_its_details(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    web.peer.answer = ZeroDivisionError("secret")
    status, code, message = await web.error("POST", "/apps/notes/put", json={"key": "k", "value": "v"})
    assert (status, code) == (500, "failed")
    assert "secret" not in message
    assert "secret" in caplog.text


async def test_unknown_names_are_404_saying_what_there_is(web: Web) -> None:
    status, code, message = await web.error("POST", "/apps/chess/put", json={})
    assert (status, code, "notes" in message) == (404, "not_found", True)
    status, code, message = await web.error("POST", "/apps/notes/push", json={})
    assert (status, code, "put" in message) == (404, "not_found", True)
    assert (await web.error("POST", "/apps/notes/forget", json={}))[0] == 404
    assert (await web.error("GET", "/nothing"))[0] == 404
    assert (await web.error("GET", "/apps/notes/get/more"))[0] == 404


async def test_the_wrong_method_is_405_naming_the_right_one(web: Web) -> None:
    for method, path, right in [
        ("GET", "/apps/notes/put", "POST"),
        ("POST", "/apps/notes/get", "GET, HEAD"),
        ("DELETE", "/apps/notes/put", "POST"),
        ("POST", "/status", "GET, HEAD"),
        ("GET", "/cluster/leave", "POST"),
        ("POST", "/apps/notes", "GET, HEAD"),
    ]:
        async with web.session.request(method, f"http://{web.address}{path}") as answer:
            assert (method, path, answer.status, answer.headers["Allow"]) == (method, path, 405, right)
            assert (await answer.json())["error"]["code"] == "method_not_allowed"


async def test_a_result_with_a_form_of_its_own_comes_with_its_lines(web: Web) -> None:
    web.peer.applications["calculator"] = Calculator()  # type: ignore[assignment]
    web.peer.answer = [{"expression": "1 + 1", "result": "2"}]
    assert (await web.ask("GET", "/apps/calculator/history"))[1] == {"result": web.peer.answer, "lines": ["1 + 1 = 2"]}
    # What a split superseded has no result of its type.
    web.peer.answer = [5]
    assert (await web.ask("GET", "/apps/calculator/history"))[1] == {"result": [5]}
    web.peer.answer = "2"
    _, said = await web.ask("POST", "/apps/calculator/calculate", json={"expression": "1 + 1"})
    assert set(said) == {"result", "receipt"}


async def test_query_arguments_are_converted_by_their_types(web: Web) -> None:
    web.peer.answer = None
    answered = await web.ask("GET", "/apps/notes/get?key=5&exact=true&read=server&timeout=3")
    assert answered == (200, {"result": None})
    assert web.peer.calls == [("query", "notes", "get", ("5", 10, True), "server", 3.0)]


async def test_a_query_takes_bytes_and_any_script(web: Web) -> None:
    for text, value in [("%ff", b"\xff"), ("%D0%96+x", "Ж x"), ("%7B%22base64%22%3A%22%2Fw%3D%3D%22%7D", b"\xff")]:
        async with web.session.get(URL(f"http://{web.address}/apps/notes/get?key={text}", encoded=True)):
            pass
        assert web.peer.calls[-1][3] == (value,)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "key"),
        ("key=k&limit=many", "limit"),
        ("key=k&key=l", "2 times"),
        ("key=k&size=1", "size"),
        ("key=k&read=often", "linearizable"),
        ("key=k&timeout=0", "timeout"),
        ("&".join(["a=1"] * 65), "64"),
    ],
)
async def test_a_wrong_query_is_400_naming_what_is_wrong(web: Web, query: str, named: str) -> None:
    status, code, message = await web.error("GET", f"/apps/notes/get?{query}")
    assert (status, code) == (400, "bad_request")
    assert named in message


async def test_a_parameter_called_like_the_gateways_own_is_the_applications(web: Web) -> None:
    assert (await web.ask("GET", "/apps/notes/waits?timeout=5&read=x"))[0] == 200
    assert web.peer.calls == [("query", "notes", "waits", (5, "x"), "local", 10.0)]


async def test_a_body_over_the_limit_is_413_also_without_a_length(web: Web) -> None:
    too_long = b'{"key":"' + b"k" * (1 << 20) + b'"}'
    assert (await web.error("POST", "/apps/notes/put", data=io.BytesIO(too_long)))[:2] == (413, "too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(too_long), 1 << 16):
            yield too_long[start : start + (1 << 16)]

    assert (await web.error("POST", "/apps/notes/put", data=chunks()))[:2] == (413, "too_large")
    fits = json.dumps({"key": "k", "value": "v" * ((1 << 20) - 30)}).encode()
    assert (await web.ask("POST", "/apps/notes/put", data=io.BytesIO(fits), expect100=True))[0] == 200


async def test_a_compressed_body_is_refused_instead_of_unpacked(web: Web) -> None:
    headers = {"Content-Encoding": "gzip"}
    status, _, message = await web.error("POST", "/apps/notes/put", data=b"\x1f\x8b", headers=headers)
    assert (status, "compressed" in message) == (400, True)


async def test_a_body_that_does_not_come_is_408(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_requests, "BODY_S", 0.05)
    answer = await raw(web, b"POST /apps/notes/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
    assert b" 408 " in answer
    assert b"body_too_slow" in answer


async def test_status_is_what_the_peer_says(web: Web) -> None:
    status, said = await web.ask("GET", "/status")
    assert status == 200
    assert said["server"] == {"id": "p1", "name": "anna", "address": "127.0.0.1:7400"}
    assert said["fallbacks"][0]["reason"] == "in sync, mains"
    assert said["term"] == {"number": 3, "holder": "p1"}


async def test_leader_is_200_on_the_server_alone_and_says_who_serves(web: Web) -> None:
    status, said = await web.ask("GET", "/leader")
    assert (status, said["serving"]) == (200, True)
    web.peer.role = "client"
    status, said = await web.ask("GET", "/leader")
    assert (status, said["serving"], said["server"]["name"]) == (503, False, "anna")


async def test_ready_means_a_known_server_and_the_state_applied(web: Web) -> None:
    assert await web.ask("GET", "/healthz") == (200, {"ok": True})
    assert (await web.ask("GET", "/readyz"))[0] == 200
    web.peer.commit = 5000
    status, said = await web.ask("GET", "/readyz")
    assert (status, said["lag"]) == (503, 4993)
    web.peer.commit, web.peer.server = 7, None
    assert await web.ask("GET", "/readyz") == (503, {"ready": False, "reason": "counting retries", "lag": 0})


async def test_why_tells_the_reigns_of_a_term(web: Web) -> None:
    status, said = await web.ask("GET", "/why?term=3")
    assert status == 200
    (reign,) = said["reigns"]
    assert (reign["name"], reign["first_index"], reign["complete"], reign["witnesses"]) == ("anna", 7, False, [])
    assert (await web.ask("GET", "/why"))[1] == said == (await web.ask("GET", "/why?term=3%40anna"))[1]
    assert (await web.ask("GET", "/why?term=4"))[0] == 404
    assert (await web.ask("GET", "/why?term=x"))[0] == 400


async def test_history_and_applications(web: Web) -> None:
    _, said = await web.ask("GET", "/history")
    assert said["reigns"][0]["name"] == "anna"
    _, said = await web.ask("GET", "/apps")
    (notes,) = said["apps"]
    assert [c["name"] for c in notes["commands"]] == ["put"]
    assert [q["name"] for q in notes["queries"]] == ["get", "waits"]
    assert notes["commands"][0]["arguments"][2] == {"name": "times", "type": "int", "required": False, "default": "1"}
    assert await web.ask("GET", "/apps/notes") == (200, notes)


async def test_planned_moves(web: Web) -> None:
    assert await web.ask("POST", "/cluster/handover", json={"to": "bert"}) == (200, {"server": "bert"})
    assert await web.ask("POST", "/cluster/handover") == (200, {"server": "bert"})
    assert await web.ask("POST", "/cluster/leave", json={"peer": "bert"}) == (200, {"left": "bert"})
    assert await web.ask("POST", "/cluster/leave", json={}) == (200, {"left": "anna"})
    assert await web.ask("POST", "/cluster/abandon-founding", json={}) == (200, {"waited_for": ["zed"]})
    assert await web.ask("POST", "/cluster/accept-loss", json={}) == (200, {"last": 17})
    assert (await web.ask("POST", "/cluster/accept-loss", json={"x": 1}))[0] == 400
    assert await web.ask("POST", "/cluster/settings", json={"app": "poll"}) == (200, {"changed": ["question"]})
    for wrong in ("{}", '{"app": 5}', '{"app": "poll", "x": 1}'):
        assert (await web.ask("POST", "/cluster/settings", data=wrong))[0] == 400
    moves = [("hand_over", "bert"), ("hand_over", None), ("leave", "bert"), ("leave", None)]
    moves += [("abandon_founding", None), ("accept_loss", None), ("use_settings", "poll")]
    assert web.peer.calls == moves
    for body in ({"to": 5}, {"to": ""}, {"peer": "bert"}):
        assert (await web.error("POST", "/cluster/handover", json=body))[0] == 400
    assert web.peer.calls == moves


@pytest.mark.parametrize(
    ("code", "status"), [("not_server", 409), ("handover_failed", 409), ("not_found", 404), ("odd", 500)]
)
async def test_what_a_planned_move_cannot_do_has_its_own_status(web: Web, code: str, status: int) -> None:
    web.peer.answer = CallError("no", code)
    assert await web.error("POST", "/cluster/handover") == (status, code, "no")


async def test_a_handover_that_nobody_was_heard_to_take_is_504(web: Web) -> None:
    web.peer.answer = TimeoutError()
    status, code, message = await web.error("POST", "/cluster/handover?timeout=7")
    assert (status, code, "7 s" in message) == (504, "unknown_outcome", True)


async def test_large_commands_have_bounded_memory_and_small_ones_pass(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_requests, "BODIES_BYTES_MAX", 150_000)
    large = {"key": "k", "value": "v" * 100_000}
    web.peer.gate.clear()
    first = asyncio.create_task(web.ask("POST", "/apps/notes/put", json=large))
    await web.peer.entered.wait()
    assert (await web.error("POST", "/apps/notes/put", json=large))[:2] == (503, "overloaded")
    small = asyncio.create_task(web.ask("POST", "/apps/notes/put", json={"key": "k", "value": "v"}))
    web.peer.gate.set()
    assert [(await first)[0], (await small)[0]] == [200, 200]
    assert (await web.ask("POST", "/apps/notes/put", json=large))[0] == 200, "the room was not given back"


async def test_an_answer_has_date_length_and_nothing_to_remember_it_by(web: Web) -> None:
    async with web.session.get(f"http://{web.address}/status") as answer:
        body = await answer.read()
        headers = answer.headers
    assert headers["Content-Length"] == str(len(body))
    assert headers["Cache-Control"] == "no-store"
    assert headers["Date"].endswith("GMT")
    async with web.session.head(f"http://{web.address}/status") as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(body)))
        assert await answer.read() == b""
    assert await web.ask("GET", "/healthz") == (200, {"ok": True})


async def test_pages_of_other_sites_may_not_speak_to_the_peer(web: Web) -> None:
    body = {"key": "k", "value": "v"}
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example:7480"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert (await web.error("POST", "/apps/notes/put", json=body, headers=headers))[:2] == (403, "forbidden")
    assert web.peer.calls == []
    for headers in (
        {"Origin": f"http://{web.address}"},
        {"Host": "localhost:1"},
        {"Host": "[::1]:7480"},
        {"Host": "n1"},
    ):
        assert (await web.ask("POST", "/apps/notes/put", json=body, headers=headers))[0] == 200


def _event(index: int, to: tuple[str, ...] | None = None) -> Published:
    return Published(index, 0, "notes", "noted", {"key": b"\xff"}, f"noted {index}", to)


async def test_events_are_pushed_with_positions_and_without_those_for_certain_sessions(web: Web) -> None:
    async with web.session.ws_connect(f"http://{web.address}/events?after=41.1") as socket:
        for event in (_event(42), _event(43, to=("s1",)), _event(44)):
            web.peer.events.put_nowait(event)
        first, second = await socket.receive_json(timeout=5), await socket.receive_json(timeout=5)
    assert web.peer.asked_after == [(41, 1)]
    assert first == {
        "type": "application",
        "app": "notes",
        "position": "42.0",
        "event": "noted",
        "fields": {"key": {"base64": "/w=="}},
        "line": "noted 42",
    }
    assert second["position"] == "44.0"


async def test_a_position_that_cannot_be_resumed_is_told_and_ends_the_socket(web: Web) -> None:
    async with web.session.ws_connect(f"http://{web.address}/events") as socket:
        web.peer.events.put_nowait(NotResumable("the fork is at 12"))
        said = await socket.receive_json(timeout=5)
        assert said == {"type": "error", "error": {"code": "failed", "message": "the fork is at 12"}}
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


class NotResumable(CallError):
    """As the peer would raise."""


async def test_events_refuse_a_wrong_position_plain_http_and_strange_pages(web: Web) -> None:
    assert (await web.error("GET", "/events?after=now"))[0] == 400
    assert (await web.error("GET", "/events"))[0] == 400
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await web.session.ws_connect(f"http://{web.address}/events", headers={"Origin": "http://evil.example"})
    assert refused.value.status == 403


async def test_stopping_ends_listeners_at_once_and_frees_the_port() -> None:
    async with serving() as web:
        socket = await web.session.ws_connect(f"http://{web.address}/events")
        closing = asyncio.create_task(socket.receive(timeout=5))
    assert (await closing).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING)
    again = HttpGateway(FakePeer(), web.address)
    assert await again.start() == web.address
    await again.stop()
    await again.stop()


async def test_a_listener_that_reads_nothing_is_disconnected(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_events, "SEND_S", 0.05)
    host, port = web.address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        b"GET /events HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    assert isinstance(writer.transport, asyncio.Transport)
    writer.transport.pause_reading()
    for index in range(400):
        web.peer.events.put_nowait(Published(index, 0, "notes", "noted", {"text": "x" * 50_000}, "noted"))
    await asyncio.wait_for(web.peer.listener_gone.wait(), 10)
    assert web.peer.events.qsize() > 0, "all was sent: nothing has slowed this listener down"
    writer.transport.abort()


async def test_a_busy_address_is_an_error_that_names_it(web: Web) -> None:
    with pytest.raises(AddressInUse, match=web.address):
        await HttpGateway(FakePeer(), web.address).start()


# Heals


async def test_heals_are_listed_and_one_is_told_in_full(web: Web) -> None:
    status, said = await web.ask("GET", "/heals")
    assert status == 200
    (heal,) = said["heals"]
    assert (heal["heal"], heal["members"], heal["fates"]) == ("3@p1:17", ["bert"], {"replayed": 1, "archived": 1})
    assert "entries" not in heal
    _, said = await web.ask("GET", "/heals?heal=3@p1:17")
    assert said["heals"][0]["entries"][0] == {
        "index": 10,
        "term": {"number": 2, "holder": "p2"},
        "at": 18,
        "kind": "command",
        "app": "notes",
        "command": "put",
        "session": "s1",
        "sequence": 4,
        "acknowledged": True,
        "fate": "replayed",
        "code": "",
    }
    assert (await web.error("GET", "/heals?heal=other"))[:2] == (404, "not_found")
    assert (await web.error("POST", "/heals"))[:2] == (405, "method_not_allowed")


async def test_queries_say_when_acknowledged_commands_do_not_hold(web: Web) -> None:
    url = f"http://{web.address}/apps/notes/get?key=k"
    async with web.session.get(url) as answer:
        assert "Tanist-Superseded" not in answer.headers
    web.peer.told = "3@p1:17; commands=2"
    async with web.session.get(url) as answer:
        assert (answer.status, answer.headers["Tanist-Superseded"]) == (200, "3@p1:17; commands=2")
        assert await answer.json() == {"result": "OK"}


async def test_a_superseded_command_is_409(web: Web) -> None:
    web.peer.answer = WriteSuperseded("a split healed")
    assert (await web.error("POST", "/apps/notes/put", json={"key": "k", "value": "v"}))[:2] == (409, "superseded")
