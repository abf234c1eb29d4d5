"""A running peer: everything put together, started in one order and ended in one order.

async with Peer(config) as peer:
    reply = await peer.call("kv", "set", "k", "v")
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from tanist.config import PeerConfig
from tanist.election.core import Core
from tanist.election.entries import Proposal
from tanist.election.events import Event, HandoverEnded, RoleChanged
from tanist.election.node import Self as Me
from tanist.election.ready import (
    AbandonAsked,
    AddressChanged,
    DiskFailed,
    GoodbyeAsked,
    LossAccepted,
    Submit,
)
from tanist.peer import clock
from tanist.peer.agreeing import Agreeing, load_applications
from tanist.peer.application.api import Application
from tanist.peer.application.events import Published
from tanist.peer.application.machine import Machine
from tanist.peer.archiving import keep_archive
from tanist.peer.calls import calls_at
from tanist.peer.chores import Chores
from tanist.peer.clients import Client, Clients
from tanist.peer.decisions import founding_to_abandon, loss_to_accept, must_have_state, must_serve
from tanist.peer.driver import Driver
from tanist.peer.electionlog.human import HumanLog
from tanist.peer.electionlog.peer_events import (
    CallsRetried,
    ClientsWaited,
    ConnectionRejected,
    DataKeptAside,
    JournalRecovered,
    PeerStopped,
)
from tanist.peer.electionlog.sentences import told
from tanist.peer.electionlog.writer import ElectionLog
from tanist.peer.errors import NoServer
from tanist.peer.gateways.http import HttpGateway, serve_http
from tanist.peer.gateways.opening import Gateways
from tanist.peer.healing import Healing
from tanist.peer.healview import heals
from tanist.peer.links import Links
from tanist.peer.listening import Place
from tanist.peer.localwork import LocalWork
from tanist.peer.moves import Moves
from tanist.peer.opening import cautions, core_of, exit_code, halt_code, hello_of, open_directory, open_log, started
from tanist.peer.parts import Parts, names_at
from tanist.peer.past.keeper import Keeper
from tanist.peer.past.views import ReignSummary, Why
from tanist.peer.preferring import Preferring
from tanist.peer.promotions import Promotions
from tanist.peer.reads import Reads
from tanist.peer.replica import ClusterEvent, Replica
from tanist.peer.served import Served
from tanist.peer.status import HealView, Reply, Status
from tanist.peer.statusview import make_status, nobody
from tanist.peer.storage.datadir import DataDirectory
from tanist.peer.storage.errors import JournalFailed
from tanist.peer.storage.journal import Journal
from tanist.peer.storage.sound import open_data
from tanist.transport.hello import Hello
from tanist.transport.tcp import TcpTransport

if TYPE_CHECKING:
    from tanist.peer.faults.control import Drills

ENDING_S = 1.5
"""How long an ending peer hands over and waits for answers to calls in flight: clients see the end within 2 s."""


class Peer:
    """One peer of a cluster. `start` and `stop`, or `async with`."""

    def __init__(
        self, config: PeerConfig, *, human: bool = False, applications: Mapping[str, Application] | None = None
    ) -> None:
        """`human`: tell the election log on stderr too. `applications` beside those that `config.apps` names."""
        self.config = config
        self._place = Place(config)
        self._promotions = Promotions()
        self.on_promoted, self.on_demoted = self._promotions.promoted, self._promotions.demoted
        self._human = human
        self._applications = dict(applications or {})
        self._directory: DataDirectory | None = None
        self._log: ElectionLog | None = None
        self._human_log: HumanLog | None = None
        self._http: HttpGateway | None = None
        self._transport: TcpTransport | None = None
        self._journal: Journal | None = None
        self._gateways = Gateways()
        self._parts = Parts(config.allow_drills)
        self._links = Links(lambda source, code, text: self._emit(ConnectionRejected(source, code, text, 0)))
        self._running = self._stopping = False
        self._served = Served()

    # Beginning

    async def start(self) -> None:
        """Open the data, listen, and seek a server. Raises what is wrong; then nothing is left open."""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._role_changed = asyncio.Event()
        try:
            await self._start()
        except BaseException as error:
            await self._close(f"start failed: {error}", exit_code(error))
            raise

    async def _start(self) -> None:
        config = self.config
        settings = load_applications(config, self._applications)
        directory = self._directory = await asyncio.to_thread(open_directory, config, self._parts.disk)
        self._log, self._names, self._human_log = open_log(config, directory, human=self._human)
        journal, recovery, stored, store, data, damage = await open_data(
            directory, lambda persist_id: self._driver.persisted(persist_id), self._journal_failed, self._parts.disk
        )
        self._journal, self._store = journal, store
        self._healing = Healing(
            directory.archives, clock.wall_ns(), self._emit, lambda: self._clients.own.calls.sessions()
        )
        replica = self._replica = Replica(
            self._applications,
            self._emit,
            lambda outcomes, committed: self._clients.answered(outcomes, committed),
            self._rebuilt,
            self._healing,
        )
        if data is not None:
            replica.begin_with(data)
        transport = await self._listen()
        self._emit(started(config, self.address, self.http_address, str(directory.path)))
        self._emit(JournalRecovered(len(recovery.records), recovery.torn_bytes))
        for what in damage:
            self._emit(DataKeptAside(what, str(directory.aside)))
        for caution in cautions(config, self.address, self.http_address):
            self._emit(caution)
        me = Me(directory.peer, directory.identity.name, self.address, config.peers, directory.incarnation)
        core = core_of(me, config, stored, self._names)
        self._driver = Driver(
            core,
            replica,
            journal,
            store,
            transport,
            self._links,
            lambda archive: keep_archive(directory, store, archive, config.cluster, self._parts.disk),
            emit=self._emit,
            on_fatal=self._fatal,
            on_halt=lambda halt: self._end_with(halt_code(halt), halt.text),
            after_turn=self._after_turn,
            on_declined=lambda wait_ms: self._clients.send_again_after(wait_ms / 1000),
            on_read=lambda request, index: self._reads.answered(request, index),
        )

        self._clients = Clients(
            calls_at(core, self._submit, self._waited),
            self._submit,
            lambda: replica.machine,
            lambda: self.applications,
            lambda app: self._agreeing.here(app),
            lambda timeout_s: self._reads.catch_up(False, timeout_s),
        )
        self._agreeing = Agreeing(settings, self._driver, replica, self._emit)
        self._moves = Moves(core, self._driver.feed, self._role_changed)
        self._reads = Reads(self._driver.feed, replica, self._role_changed, lambda what: nobody(core, what))
        replica.machine.local_sessions = self._clients.local_sessions
        self._chores = Chores(self._driver, replica, store, config, self._emit)
        own, name = self._clients.own, directory.identity.name
        preferring = Preferring(config, self._moves.give, self._moves.outranks)
        ways = (lambda: core.role, lambda: self.address, preferring)
        self._local = LocalWork(directory.path, name, self._applications, own, *ways, self._emit)
        replica.on_published, replica.on_superseded = self._local.published, self._local.superseded
        self._keeper = Keeper(self._driver, replica, self._clients.own.calls, self._emit)
        self._running = True
        self._parts.begin(self._emit, self.stop)
        self._driver.start()
        self._chores.start()
        self._local.start()
        await self._gateways.start(self, config.gateways, self._applications)

    async def _listen(self) -> TcpTransport:
        settings = self.config.transport
        transport = self._transport = self._parts.transport(
            self._hello, self._links, settings, self._fatal, lambda at: names_at(self.core.node.log.roster, at)
        )
        self._http = await self._place.listen_http(partial(serve_http, self))
        await self._place.listen(transport.listen)
        return transport

    def _hello(self) -> Hello:
        assert self._directory is not None
        node = self.core.node if self._running else None
        place = self._place
        if node is not None and place.moved():
            self._driver.feed(AddressChanged(place.address))
        return hello_of(self.config, self._directory, node, place.address, place.http_for_others, self._applications)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # Asking

    @property
    def address(self) -> str:
        """What other peers dial."""
        return self._place.address

    @property
    def http_address(self) -> str:
        """Where it listens for HTTP."""
        return self._place.http

    @property
    def gateways(self) -> Mapping[str, str]:
        """Where its gateways listen, by `APP=PROTOCOL`."""
        return self._gateways.addresses

    @property
    def applications(self) -> Mapping[str, Application]:
        """The applications of this peer, by name."""
        return self._replica.applications if self._running else self._applications

    @property
    def machine(self) -> Machine:
        """The replicated state at this peer."""
        return self._replica.machine

    @property
    def core(self) -> Core:
        """The election's state, to be looked at."""
        return self._driver.core

    @property
    def drills(self) -> "Drills":
        """Injects failures into this peer. Raises `CallError` when it was not started with `allow_drills`."""
        return self._parts.drills

    def digest(self) -> tuple[int, str]:
        """How many entries are applied here, and a hash of the state that came of them, the same on every peer.

        It goes through the whole state, so only those may ask who may injure this peer anyway: raises as `drills` does.
        """
        self._must_run()
        _ = self.drills  # Raises.
        return self.machine.applied, self.machine.digest()

    async def call(
        self, app: str, command: str, /, *args: Any, idempotency_key: str = "", timeout_s: float = 10.0, **kwargs: Any
    ) -> Reply:
        """Have a command done: its result, and the receipt that says how safely it is kept.

        Works on every peer; rides through a failover. Raises `tanist.peer.errors.CallError`: all but
        `UnknownOutcome` mean that it was certainly not done.
        """
        self._must_run()
        return await self._clients.own.call(app, command, args or kwargs, key=idempotency_key, timeout_s=timeout_s)

    @property
    def own_client(self) -> Client:
        """The client whose session `call` uses, and HTTP's callers."""
        return self._clients.own

    def open_client(self) -> Client:
        """A client with a session of its own, for a connection of a gateway; close it with the connection."""
        self._must_run()
        return self._clients.open()

    async def query(
        self, app: str, query: str, /, *args: Any, read: str = "local", timeout_s: float = 10.0, **kwargs: Any
    ) -> object:
        """Read: what this peer has (`local`), or what the server has, or linearizably. Plain values.

        Raises `WriteSuperseded`, once, when a split has healed and something that this peer had been acknowledged
        since its start does not hold; ask again to read.
        """
        self._must_run()
        self._healing.tell_once(self.machine)
        return await self.look_up(app, query, args if args else kwargs, read=read, timeout_s=timeout_s)

    async def look_up(
        self,
        app: str,
        query: str,
        arguments: Sequence[Any] | Mapping[str, Any],
        *,
        read: str = "local",
        timeout_s: float = 10.0,
    ) -> object:
        """`query` for gateways, which tell their callers of superseded writes in ways of their own (`superseded`)."""
        self._must_run()
        if read != "local":
            await self._reads.catch_up(read == "linearizable", timeout_s)
        else:
            must_have_state(self._driver.core)
        return self._clients.own.query(app, query, arguments)

    def status(self) -> Status:
        """What this peer knows of the cluster."""
        self._must_run()
        core, differing = self._driver.core, self._agreeing.differing
        return make_status(core, self._replica, self.config.cluster, self.http_address, self._http_of, differing)

    def _http_of(self, peer: str) -> str:
        if peer == self._driver.core.node.me.id:
            return self._place.http_for_others
        return self._links.http_of(peer)

    def reigns(self) -> list[ReignSummary]:
        """The reigns of the past, oldest first."""
        self._must_run()
        return self._keeper.history()

    def why(self, term: str = "last") -> list[Why]:
        """The records of the reigns that `term` means: a number, number@holder, or last. Raises NotFound."""
        self._must_run()
        return self._keeper.why(term)

    def heals(self, heal: str | None = None) -> list[HealView]:
        """The heals of splits that are remembered, oldest first; or one, with the fate of each entry."""
        self._must_run()
        return heals(self._driver.core, self.machine, heal)

    def superseded(self) -> str:
        """What this peer's callers had been acknowledged and does not hold: `HEAL; commands=N`, or ""."""
        return self._healing.header(self.machine)

    def events_after(self, position: tuple[int, int] | None) -> AsyncIterator[Published | ClusterEvent]:
        """Events behind a position (index, number), or from now on, for as long as it is iterated."""
        return self._replica.events_after(position)

    async def hand_over(self, to: str | None = None, timeout_s: float = 10.0) -> str:
        """Hand the reign to a peer (name or id), or to the heir; gives the new server's name."""
        self._must_run()
        must_serve(self._driver.core, self.status().server)
        await self._moves.hand_over(to, timeout_s)
        server = self.status().server
        return server.name if server else ""

    async def leave(self, peer: str | None = None) -> None:
        """Take a peer (name or id; by default this one) out of the roster."""
        self._must_run()
        self._moves.leave(peer)

    async def abandon_founding(self) -> list[str]:
        """Give up the founding attempt that waits for somebody; gives the names of those it waited for."""
        self._must_run()
        waited_for = founding_to_abandon(self._driver.core)
        self._driver.feed(AbandonAsked())
        return waited_for

    async def accept_loss(self) -> int:
        """Go on from what is sound of damaged data, though nobody repaired it; gives the last entry that is left."""
        self._must_run()
        last = loss_to_accept(self._driver.core)
        self._driver.feed(LossAccepted())
        return last

    async def use_settings(self, app: str, timeout_s: float = 10.0) -> list[str]:
        """Have all peers use the settings of an application that this one is configured with; gives what changed."""
        self._must_run()
        return await self._agreeing.use(app, self._clients.own.calls, timeout_s)

    def _must_run(self) -> None:
        if not self._running:
            raise NoServer("this peer is not running")

    def _submit(self, proposals: tuple[Proposal, ...]) -> None:
        self._driver.feed(Submit(proposals))

    # What the driver tells

    def _emit(self, event: Event) -> None:
        assert self._log is not None
        self._log.emit(event)
        if isinstance(event, RoleChanged):
            self._role_changed.set()
        elif isinstance(event, HandoverEnded):
            self._moves.ended(event.outcome)
        if self._running:
            self._keeper.heard(event)
        if event.level != "debug" and self._running:
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            self._replica.cluster_event(type(event).kind(), fields, told(event, self._names))

    def _rebuilt(self) -> None:
        self._clients.send_all()
        self._keeper.rebuilt()

    def _after_turn(self) -> None:
        """Notice what changed in a turn: another server means that calls go there now."""
        self._agreeing.look()
        core = self._driver.core
        if self._served.changed(core):
            self._role_changed.set()
            if again := self._clients.server_changed(core.server is not None):
                self._emit(CallsRetried(again, "another server"))
            self._promotions.look(core)
        self._chores.after_turn()

    def _waited(self, calls: int, longest_s: float) -> None:
        self._emit(ClientsWaited(calls, longest_s * 1000, str(self._served.term_before), str(self._driver.core.term)))

    # Ending

    def _journal_failed(self, error: JournalFailed) -> None:
        """The disk does not take what must be on it: give up the reign, tell everyone, and end."""
        if self._running:
            self._driver.feed(DiskFailed(str(error)))
        self._end_with(1, str(error))

    def _fatal(self, error: BaseException) -> None:
        """Something failed that must not: better no peer than half of one."""
        self._loop.call_exception_handler({"message": "tanist: this peer ends", "exception": error})
        self._end_with(1, f"{type(error).__name__}: {error}")

    def _end_with(self, code: int, why: str) -> None:
        if not self._stopping:
            self._stopping = True
            self._closing_task = self._loop.create_task(self._end_soon(code, why))

    async def _end_soon(self, code: int, why: str) -> None:
        if self._running:
            self._driver.feed(GoodbyeAsked(why))
            # No answer will come any more, and ending would wait for it.
            self._clients.close()
        await asyncio.sleep(0)
        await self._close(why, code)

    async def wait_stopped(self) -> int:
        """Wait until this peer ends by itself; gives the exit status."""
        return await asyncio.shield(self._ended)

    async def stop(self, *, hand_over: bool = True) -> None:
        """End in order: take no more, hand the reign over, answer what is in flight, say goodbye, free the port."""
        if self._stopping:
            await asyncio.shield(self._ended)
            return
        self._stopping = True
        if self._running:
            until = self._loop.time() + ENDING_S
            if hand_over:
                await self._moves.give_before_the_end()
            await self._local.stop()
            await self._clients.drained(until - self._loop.time())
            self._clients.close()
            self._clients.closing()
            self._driver.feed(GoodbyeAsked("it was told to end"))
            await asyncio.sleep(0)
        await self._close("it was told to end", 0)

    async def _close(self, reason: str, code: int) -> None:
        """Free everything, in the reverse order of its making."""
        await asyncio.gather(self._gateways.stop(), *([self._http.stop()] if self._http is not None else []))
        self._running = False
        self._parts.close()
        if hasattr(self, "_local"):
            await self._local.stop()
        if hasattr(self, "_chores"):
            self._chores.stop()
            self._keeper.stop()
        if hasattr(self, "_clients"):
            self._clients.close()
        if hasattr(self, "_replica"):
            self._replica.close()
        if hasattr(self, "_driver"):
            await asyncio.sleep(0)
            self._driver.stop()
        if self._transport is not None:
            await self._transport.close()
        if self._journal is not None:
            with contextlib.suppress(JournalFailed):
                await self._journal.close()
        if self._log is not None:
            self._log.emit(PeerStopped(reason, code))
            if self._human_log is not None:
                await asyncio.to_thread(self._human_log.close)
            self._log.close()
        if self._directory is not None:
            self._directory.close()
        if not self._ended.done():
            self._ended.set_result(code)
