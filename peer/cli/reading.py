"""The verbs of `tanist` that read and check: election logs, histories, drills and simulated lives."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tanist.peer.cli.options import Json, commas

Since = Annotated[
    str | None, Parameter("--since", env_var="TANIST_SINCE", help="Only what came later: a time, or as 10m, 2h.")
]


def log_show(
    *files: Annotated[Path, Parameter(help="Election logs, of one peer or several; else this machine's peer's own.")],
    since: Since = None,
    event: Annotated[
        list[str] | None,
        Parameter(
            "--event",
            env_var="TANIST_EVENT",
            env_var_split=commas,
            negative="",
            show_default=False,
            help="Only events of this name. Repeatable.",
        ),
    ] = None,
    of: Annotated[str | None, Parameter(["--peer"], help="Only what this peer wrote, by name or id.")] = None,
    term: Annotated[
        int | None, Parameter("--term", env_var="TANIST_TERM", help="Only what happened around this term's number.")
    ] = None,
    follow: Annotated[
        bool,
        Parameter(
            ["--follow", "-f"],
            env_var="TANIST_FOLLOW",
            negative="",
            show_default=False,
            help="Go on with what is written from now on, until Ctrl-C.",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Election logs as a story: who served when, who suspected whom on what evidence, and what followed."""
    from tanist.peer.cli.settings import election_log
    from tanist.peer.electionlog.story import show

    return show(files or (election_log(),), since=since, event=event, peer=of, term=term, json=json, follow=follow)


def log_timeline(
    *files: Annotated[Path, Parameter(help="Election logs, of one peer or several; else this machine's peer's own.")],
    output: Annotated[
        Path, Parameter(["--output", "-o"], env_var="TANIST_OUTPUT", metavar="FILE", help="The page to write.")
    ] = Path("timeline.html"),
    since: Since = None,
    title: Annotated[
        str, Parameter("--title", env_var="TANIST_TITLE", show_default=False, help="What the page is called.")
    ] = "",
) -> int:
    """Election logs as one page to look at: who served when, what went between peers, and who was away.

    A lane for each peer; zoom, search, hover for details. The page needs no network and no server.
    """
    from tanist.peer.cli.settings import election_log
    from tanist.peer.electionlog.timeline.writing import timeline

    return timeline(files or (election_log(),), output, since=since, title=title)


def log_check(
    *files: Annotated[Path, Parameter(help="Election logs, of one peer or all; else this machine's peer's own.")],
    json: Json = False,
) -> int:
    """Do election logs keep the rules of the protocol? Points to each line that breaks one.

    One server a number, one vote, retries as configured, a list that names nobody dead, nothing
    acknowledged that a later server lacks: docs/reference/log-checks.md has all rules. Logs that
    begin in the middle, and peers that are missing, are no fault. Ends 0 if nothing breaks a rule.
    """
    from tanist.peer.cli.settings import election_log
    from tanist.peer.electionlog.checks.report import log_check as check_logs

    return check_logs(files or (election_log(),), json=json)


def check_history(
    file: Annotated[Path, Parameter(help="A history: tanist's own form, or invoke/ok/fail/info in JSON or EDN.")],
    /,
    *,
    model: Annotated[
        str,
        Parameter(
            "--model",
            env_var="TANIST_MODEL",
            show_default=False,
            metavar="MODEL",
            help="register, cas-register, kv, log, or one of your own: FILE:CLASS. Else what the history says.",
        ),
    ] = "",
    keyed: Annotated[
        bool,
        Parameter(
            "--keyed",
            env_var="TANIST_KEYED",
            negative="",
            show_default=False,
            help="In the invoke/ok form: each value is [key, value].",
        ),
    ] = False,
    steps: Annotated[
        int, Parameter("--steps", env_var="TANIST_STEPS", help="How many steps the search may take.")
    ] = 5_000_000,
    json: Json = False,
) -> int:
    """Is what clients saw linearizable? Checks their recorded operations against a model.

    Ends 0 if there is one order of all operations, each between its call and its answer, that
    gives these answers; 1 if there is none, or if the steps do not suffice to know.
    """
    from tanist.peer.cli.histories import check_file

    return check_file(file, model, keyed, steps, json)


def drill(
    what: Annotated[str, Parameter(help="A ready-made drill by its name, or a YAML file; none: list them.")] = "",
    /,
    *,
    all: Annotated[
        bool,
        Parameter(
            "--all",
            env_var="TANIST_ALL",
            negative="",
            show_default=False,
            help="Every ready-made drill, with 3 and 5 peers, in both modes.",
        ),
    ] = False,
    peers: Annotated[
        int, Parameter("--peers", env_var="TANIST_PEERS", show_default=False, help="How many peers, 2 to 9 (3).")
    ] = 0,
    safety: Annotated[
        str, Parameter("--safety", env_var="TANIST_SAFETY", show_default=False, help="survivor (default) or quorum.")
    ] = "",
    pace: Annotated[
        str, Parameter("--pace", env_var="TANIST_PACE", help="classic, lan or fast; times in a drill fit it.")
    ] = "lan",
    at: Annotated[
        list[str] | None,
        Parameter(
            "--at",
            negative="",
            show_default=False,
            metavar="URL",
            help="The page of a peer that runs already, started with --allow-drills. Repeat it for each.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        Parameter("--yes", env_var="TANIST_YES", negative="", show_default=False, help="With --at: do not ask first."),
    ] = False,
    keep: Annotated[
        Path | None,
        Parameter(
            "--keep",
            env_var="TANIST_KEEP",
            metavar="DIR",
            help="Where to keep the timeline, the history and what peers left.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Failures injected into real peers, while clients write and read: the story, and a verdict.

    Without a name it lists the ready-made drills. The peers are started for it on this machine,
    and ended with it; or, with --at, they run already, and only what undoes itself is done to
    them. In the end it is checked that nothing acknowledged is lost, that no term
    had two servers, that all hold the same, and, with a quorum, that what clients saw is
    linearizable. Ends 0, or 1 if anything failed.
    """
    from tanist.peer.cli.drill import Asked
    from tanist.peer.cli.drill import drill as run_drills

    return run_drills(
        Asked(
            what=what, all=all, peers=peers, safety=safety, pace=pace, json=json, keep=keep, at=tuple(at or ()), yes=yes
        )
    )


def simulate(
    *,
    seeds: Annotated[
        str,
        Parameter(
            "--seeds",
            env_var="TANIST_SEEDS",
            metavar="FROM:TO",
            help="Which lives, each drawn from its seed; TO is not one of them.",
        ),
    ] = "0:1000",
    app: Annotated[
        list[str] | None,
        Parameter(
            "--app",
            negative="",
            show_default=False,
            metavar="APP",
            help="An application to be run in them: kv, or notes.py:Notes. Repeatable.",
        ),
    ] = None,
    safety: Annotated[
        str | None, Parameter(["--safety"], help="survivor or quorum; else each seed draws its own.")
    ] = None,
    beyond: Annotated[
        bool,
        Parameter(
            "--beyond",
            env_var="TANIST_BEYOND",
            negative="",
            show_default=False,
            help="Faults beyond what can be survived too: then all must halt safely.",
        ),
    ] = False,
    replay: Annotated[
        str | None,
        Parameter("--replay", env_var="TANIST_REPLAY", metavar="LINE", help="Repeat the life that a failure named."),
    ] = None,
    output: Annotated[
        Path | None,
        Parameter(
            ["--output", "-o"],
            env_var="TANIST_OUTPUT",
            metavar="DIR",
            help="Where to write the scenario of a failure, and its timeline.",
        ),
    ] = None,
    processes: Annotated[
        int,
        Parameter(
            "--processes",
            env_var="TANIST_PROCESSES",
            show_default=False,
            help="How many processes; else one for each core.",
        ),
    ] = 0,
    shrink: Annotated[
        int,
        Parameter(
            "--shrink",
            env_var="TANIST_SHRINK",
            metavar="LIVES",
            help="How many lives to make a failure small; 0 leaves it as it is.",
        ),
    ] = 200,
    all_marks: Annotated[
        bool,
        Parameter(
            "--all-marks",
            env_var="TANIST_ALL_MARKS",
            negative="",
            show_default=False,
            help="Fail also if a rare branch was never taken: for runs of a thousand lives and more.",
        ),
    ] = False,
    json: Json = False,
) -> int:
    """Thousands of lives of clusters in virtual time, under faults, with every promise checked.

    With --app your application lives them: peers must agree on its state after every command,
    also those that restarted or began with a snapshot. A failure is shown with the line that
    repeats it, made small, and with what the peers said. Ends 0, or 1 if anything failed.
    """
    from tanist.peer.cli.simulate import Asked
    from tanist.peer.cli.simulate import simulate as run_lives

    return run_lives(
        Asked(
            seeds=seeds,
            apps=tuple(app or ()),
            safety=safety or "",
            replay=replay or "",
            beyond=beyond,
            processes=processes,
            output=output,
            shrink=shrink,
            all_marks=all_marks,
            json=json,
        )
    )
