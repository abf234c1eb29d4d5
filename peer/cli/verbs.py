"""The verbs of `tanist`: what each takes, and who carries it out. Run one with `run`."""

import inspect
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Group, Parameter

from tanist.peer.cli import reading
from tanist.peer.cli.exits import MEANINGS, Exit, VerbError
from tanist.peer.cli.options import AT, TIMEOUT_S, At, Config, Json, PeerFlags, Timeout, commas
from tanist.peer.cli.output import complain, say, say_json, value_lines

RUNNING = Group("Running", sort_key=1)
ASKING = Group("Asking a running peer", sort_key=2)
MOVING = Group("Planned moves", sort_key=3)
READING = Group("Reading and checking", sort_key=4)

SERVERS = Parameter(help="Where to connect, host:port; if one is gone, the next.")

EPILOGUE = "Exit status: " + "; ".join(f"{status.value} {meaning}" for status, meaning in MEANINGS.items()) + "."

app = App(
    name="tanist",
    help="A cluster of identical peers that outlives its server: one serves, any can.",
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    help_flags=["--help", "-h"],
    version_flags=["--version"],
    group_commands=READING,
)
config = App(name="config", help="Check and show the configuration a peer would run with.", group=READING)
log = App(name="log", help="Read election logs.", group=READING)
app.command(config)
app.command(log)
app["--help"].group = app["--version"].group = Group("Other", sort_key=9)


def run(arguments: Sequence[str]) -> int:
    """Run the verb that the arguments name; gives the exit status. Sentences about failures go to stderr."""
    try:
        result = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        complain(f"{str(error).strip()}\n{_where_to_look(arguments)}")
        return Exit.USAGE
    except VerbError as error:
        complain(error.message)
        return error.status
    return result if isinstance(result, int) else Exit.OK


def _where_to_look(arguments: Sequence[str]) -> str:
    chain, _, _ = app.parse_commands(list(arguments))
    return f"Try: {' '.join(('tanist', *chain))} --help"


@app.command(group=RUNNING, sort_key=1)
def up(*, config: Config = None, flags: PeerFlags | None = None) -> int:
    """Run a peer, until SIGTERM or Ctrl-C: then it hands over and ends.

    The first peer of a cluster serves; each further one is told of any other with --peer.
    A second Ctrl-C ends it at once. What is not given comes from the environment, where each
    flag has a twin (--log-level is TANIST_LOG_LEVEL), from the file, or is the default.
    """
    from tanist.peer.cli.up import run_peer

    return run_peer(config, (flags or PeerFlags()).given())


@app.command(group=RUNNING, sort_key=2)
def demo(
    *,
    peers: Annotated[int, Parameter("--peers", env_var="TANIST_PEERS", help="How many peers, 2 to 7.")] = 3,
    pace: Annotated[str, Parameter("--pace", env_var="TANIST_PACE", help="classic, lan or fast.")] = "lan",
    safety: Annotated[
        str, Parameter("--safety", env_var="TANIST_SAFETY", help="survivor, or quorum (3 peers or more).")
    ] = "survivor",
    once: Annotated[
        bool,
        Parameter(
            "--once",
            env_var="TANIST_ONCE",
            negative="",
            show_default=False,
            help="Play it once, print the checks, end 0 or 1.",
        ),
    ] = False,
) -> int:
    """Peers on this machine, clients that write, and a server that is killed while they do.

    The server is killed twice, the dead come back, and one hands over; then it is checked that
    nothing was lost. With --once that is all, within 30 seconds; else the peers stay up to be
    looked at, and the story is played again on Enter. Nothing is left behind.
    """
    from tanist.peer.cli.demo import run as play

    return play(peers, pace, once, safety)


@app.command(group=RUNNING, sort_key=4, name="new-app")
def new_app(
    name: Annotated[str, Parameter(help="Its name: lower-case letters, digits and _.")],
    *,
    folder: Annotated[Path, Parameter("--in", env_var="TANIST_IN", help="The folder for its files.")] = Path(),
) -> int:
    """The beginning of an application of your own: a class that works, and a test that kills its server."""
    from tanist.peer.cli.new_app import new_app as write

    return write(name, folder)


@app.command(group=RUNNING, sort_key=3)
def lantern(
    address: Annotated[str | None, Parameter(help="The stand's, host:port; asked for if left out.")] = None,
) -> int:
    """A lantern in this terminal, that hangs at a stand (`--gateway lantern=tlv:9999`) and does as it is told.

    It looks for the stand again every second, for ever. Ctrl-C or SIGTERM takes it down.
    """
    from tanist.peer.cli.lantern import run_lantern

    return run_lantern(address)


@app.command(group=RUNNING, sort_key=4)
def packets(*servers: Annotated[str, SERVERS]) -> int:
    """Send a packet every second to an echo (`--gateway packets=echo:9000`), and show what comes back.

    Like sums and positions, it looks for its server again every second, for ever. Ctrl-C or
    SIGTERM ends it.
    """
    return _traffic("packets", servers)


@app.command(group=RUNNING, sort_key=5)
def sums(*servers: Annotated[str, SERVERS]) -> int:
    """Ask for a sum every ten seconds (`--gateway sums=struct:9001`), and show the answers."""
    return _traffic("sums", servers)


@app.command(group=RUNNING, sort_key=6)
def positions(*servers: Annotated[str, SERVERS]) -> int:
    """Say a position every five seconds (`--gateway positions=struct:9002`), and show everybody's."""
    return _traffic("positions", servers)


def _traffic(kind: str, servers: Sequence[str]) -> int:
    from tanist.peer.cli.traffic import run_traffic

    return run_traffic(kind, servers)


@app.command(group=RUNNING, sort_key=7)
def agent(
    *servers: Annotated[str, SERVERS],
    name: Annotated[
        str | None,
        Parameter("--name", env_var="TANIST_NAME", metavar="NAME", help="What to report as; else the host's name."),
    ] = None,
    every: Annotated[float, Parameter("--every", env_var="TANIST_EVERY", help="Seconds between two reports.")] = 3.0,
) -> int:
    """Report this machine's CPU, RAM and disk to a monitor (`--app monitor`), until Ctrl-C or SIGTERM.

    Any peer takes it, at its HTTP address or at a `--gateway monitor=line:PORT`; without an
    address it is the peer on this machine. If it is gone, the next one is tried, every second.
    """
    from tanist.peer.cli.traffic import run_agent

    return run_agent(servers, name, every)


@app.command(group=ASKING, sort_key=1)
def status(
    *,
    at: At = AT,
    json: Json = False,
    watch: Annotated[
        bool,
        Parameter(
            "--watch", env_var="TANIST_WATCH", negative="", show_default=False, help="Go on, and show each change."
        ),
    ] = False,
) -> int:
    """Who serves, since when, who would serve next and why, and the members."""
    from tanist.peer.cli import asking

    return asking.watch_status(at, json) if watch else asking.show_status(at, json)


@app.command(group=ASKING, sort_key=2)
def fallbacks(*, at: At = AT, json: Json = False) -> int:
    """The fallback list: who serves on if the server dies, best first, with the reasons."""
    from tanist.peer.cli import asking

    return asking.show_fallbacks(at, json)


@app.command(group=ASKING, sort_key=5)
def history(*, at: At = AT, json: Json = False) -> int:
    """Who served when and why, as the log has it; "tanist why" tells one reign in full."""
    from tanist.peer.cli import asking

    return asking.show_history(at, json)


@app.command(group=ASKING, sort_key=6)
def why(
    term: Annotated[str, Parameter(help="Which reign: its number, number@holder, or last.")] = "last",
    /,
    *,
    logs: Annotated[
        list[Path] | None,
        Parameter(
            ["--log"],
            env_var="TANIST_LOG",
            env_var_split=commas,
            negative="",
            show_default=False,
            consume_multiple=True,
            metavar="FILES",
            help="Read these election logs instead of asking a peer.",
        ),
    ] = None,
    at: At = AT,
    json: Json = False,
) -> int:
    """How a reign came about: who lost the server before it, on what evidence, who stood, and what it cost.

    Any peer answers, also of times when it was off: the record is in the replicated log, made of
    what each peer saw. With --log the same is told from the peers' files.
    """
    from tanist.peer.cli import asking

    return asking.show_why_of_logs(logs, term, json) if logs else asking.show_why(at, term, json)


@app.command(group=ASKING, sort_key=7)
def heals(
    heal: Annotated[str | None, Parameter(help="One heal, by its id: what became of each entry.")] = None,
    /,
    *,
    at: At = AT,
    json: Json = False,
) -> int:
    """Splits that healed, and what became of the writes of the side that gave way.

    Applied ones hold. Superseded ones were acknowledged and do not hold: they are in the archive
    alone. Of unknown ones nobody can say whether they were acknowledged: the last ones of a server
    that died often are. Missing ones were in a snapshot only, and no more is known of them.
    """
    from tanist.peer.cli import asking

    return asking.show_heals(at, heal, json)


@app.command(group=ASKING, sort_key=4)
def apps(
    *specs: Annotated[str, Parameter(help="Applications to describe without a peer: kv, or notes.py:Notes.")],
    at: At = AT,
    json: Json = False,
) -> int:
    """The applications of a peer, or those named, with their commands and queries."""
    from tanist.peer.cli import asking

    return asking.show_applications(at, specs, json)


@app.command(group=ASKING, sort_key=3)
def call(
    app: Annotated[str, Parameter(help="The application.")],
    command: Annotated[str, Parameter(help="The command or query.")],
    /,
    *arguments: Annotated[
        str, Parameter(help="Values in order, or name=value; for bytes the path of a file.", allow_leading_hyphen=True)
    ],
    at: At = AT,
    timeout: Timeout = TIMEOUT_S,
    json: Json = False,
    key: Annotated[
        str,
        Parameter(
            "--key",
            env_var="TANIST_KEY",
            show_default=False,
            metavar="KEY",
            help="An idempotency key: with the same one it is done once.",
        ),
    ] = "",
    read: Annotated[
        Literal["local", "server", "linearizable"] | None,
        Parameter("--read", env_var="TANIST_READ", help="Where a query is answered."),
    ] = None,
) -> int:
    """Have a command done, or a query answered.

    "tanist apps" lists what there is. Whatever follows "--" is an argument, also where it
    looks like a flag of this verb.
    """
    from tanist.peer.cli.calls import call as ask
    from tanist.peer.cli.client import Client

    client = Client(at)
    answer = ask(client, app, command, arguments, timeout_s=timeout, key=key, read=read or "")
    if client.superseded:
        complain(f"a split healed, and commands acknowledged here do not hold ({client.superseded}): see tanist heals")
    if isinstance(answer, bytes):
        sys.stdout.buffer.write(answer)
    elif json:
        say_json(answer)
    elif text := value_lines(answer.get("lines", answer.get("result"))):
        say(text)
    return Exit.OK


@app.command(group=ASKING, sort_key=8)
def shell(app: Annotated[str, Parameter(help="The application.")], /, *, at: At = AT) -> int:
    """A console for an application, at a peer on this machine or at --at.

    Its commands are typed as HELP lists them; Tab completes. Events scroll above the prompt. When the
    peer is lost the console goes on at the next of the fallback list, and what was not answered is
    asked there, done once. In a pipe it reads lines and answers as the line protocol does.
    """
    from tanist.peer.cli.console import run_console

    return run_console(at, app)


@app.command(group=ASKING, sort_key=9)
def connect(
    address: Annotated[str, Parameter(help="Any peer's page, host:port (port 7480 if left out).")],
    /,
    *,
    app: Annotated[
        str | None,
        Parameter("--app", env_var="TANIST_APP", show_default=False, metavar="APP", help="The application."),
    ] = None,
) -> int:
    """A console at a peer anywhere: "tanist shell" for whoever runs no peer.

    Without --app it takes the peer's only application, or asks which.
    """
    from tanist.peer.cli.console import run_console

    return run_console(address, app)


@app.command(group=MOVING)
def handover(
    *,
    to: Annotated[
        str | None,
        Parameter("--to", env_var="TANIST_TO", metavar="NAME", help="The peer that is to serve; else the heir."),
    ] = None,
    at: At = AT,
    timeout: Timeout = TIMEOUT_S,
    json: Json = False,
) -> int:
    """Let another peer serve. Clients see a delay, not an error."""
    from tanist.peer.cli import asking

    return asking.hand_over(at, to, timeout, json)


@app.command(group=MOVING)
def leave(
    peer: Annotated[
        str | None, Parameter(help="The peer to remove, by name or id; else the one that is asked.")
    ] = None,
    /,
    *,
    at: At = AT,
    timeout: Timeout = TIMEOUT_S,
    json: Json = False,
) -> int:
    """Take a peer out of the cluster for good; one that only stops is still a member."""
    from tanist.peer.cli import asking

    return asking.leave(at, peer, timeout, json)


@app.command(group=MOVING, name="abandon-founding")
def abandon_founding(*, at: At = AT, timeout: Timeout = TIMEOUT_S, json: Json = False) -> int:
    """Give up founding a quorum cluster with somebody who will never come; the next attempt takes others.

    Only when those it waits for ("tanist status" names them) are gone for good: if they founded it
    with others meanwhile, there will be two clusters of one name, which refuse each other.
    """
    from tanist.peer.cli import asking

    return asking.abandon_founding(at, timeout, json)


@app.command(group=MOVING, name="accept-loss")
def accept_loss(*, at: At = AT, timeout: Timeout = TIMEOUT_S, json: Json = False) -> int:
    """Let a damaged peer go on from what is sound of its data, when no other copy is left.

    In survivor mode only. A server repairs a damaged peer by itself; this is for the last one.
    """
    from tanist.peer.cli import asking

    return asking.accept_loss(at, timeout, json)


@config.command
def check(
    file: Annotated[str | None, Parameter(help="The file; else that of --config.")] = None,
    /,
    *,
    config: Config = None,
    flags: PeerFlags | None = None,
) -> int:
    """Say all that is wrong with a configuration, each with its place, or that nothing is."""
    from tanist.peer.cli.settings import check_applications, load_settings

    check_applications(load_settings(file or config, (flags or PeerFlags()).given()).config)
    say("The configuration is good.")
    return Exit.OK


@config.command
def show(
    file: Annotated[str | None, Parameter(help="The file; else that of --config.")] = None,
    /,
    *,
    config: Config = None,
    flags: PeerFlags | None = None,
) -> int:
    """The configuration in effect, each value with where it came from."""
    from tanist.config.describe import render
    from tanist.peer.cli.settings import load_settings

    loaded = load_settings(file or config, (flags or PeerFlags()).given())
    sys.stdout.write(render(loaded.config, loaded.origins))
    return Exit.OK


@config.command
def use(app: str, /, *, at: At = AT, timeout: Timeout = TIMEOUT_S, json: Json = False) -> int:
    """Have the whole cluster use the settings of an application that the peer at --at is configured with.

    Those of the cluster's first server hold until then. Start that peer again first, with its new configuration.
    """
    from tanist.peer.cli import asking

    return asking.use_settings(at, app, timeout, json)


log.command(reading.log_show, name="show")
log.command(reading.log_timeline, name="timeline")
log.command(reading.log_check, name="check")
app.command(reading.check_history, group=READING)
app.command(reading.drill, group=READING)
app.command(reading.simulate, group=READING)


@app.command(group=READING)
def version() -> int:
    """The version of tanist, and of Python."""
    from importlib.metadata import version

    say(f"tanist {version('tanist')} (Python {sys.version.partition(' ')[0]})")
    return Exit.OK


def _flowing(doc: str) -> str:
    """A docstring whose paragraphs have no line breaks of their own: the terminal makes them."""
    paragraphs = inspect.cleandoc(doc).split("\n\n")
    return "\n\n".join(p if "\n " in p or p.startswith(" ") else p.replace("\n", " ") for p in paragraphs)


for _verb in (*app.subapps, *config.subapps, *log.subapps):
    _verb.help = _flowing(_verb.help)
    # The statuses are the same for all: they stand in the help of tanist itself, once.
    _verb.help_epilogue = ""
