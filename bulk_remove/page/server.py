"""The server of the local page, for the one person who was given its link.

It keeps out other users of this machine and pages of other servers in the same browser. The socket is on loopback. The
path begins with a secret, so the browser does not send the cookie to other servers on this machine. The login link
works once. The `Host` header must be ours, which stops DNS rebinding; POST requests also need our `Origin` and a token.
The browser does not cache or frame the pages and runs only our script files.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import islice
from pathlib import Path
from secrets import compare_digest, token_urlsafe
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import unquote

import jinja2
from aiohttp import web

from bulk_remove.core.limits import MAX_NOT_EXIST
from bulk_remove.core.model import CsvFor, ReportFormat, harmless
from bulk_remove.core.plan import rehearsal_told
from bulk_remove.core.summary import Ending
from bulk_remove.core.throttle import Key
from bulk_remove.errors import BulkRemoveError, InputError, StorageError, UsageError
from bulk_remove.language import LANGUAGES, language_in_use, load_language, one_line, ours, phrase, translated, use
from bulk_remove.page.shown import hint_shown, plan_shown, progress_shown, result_shown, run_shown
from bulk_remove.page.work import Access, Planning, Stage, Work, columns_of, of_file, of_run, sheets_in
from bulk_remove.reader import SetAside, set_aside
from bulk_remove.report.html import speaking
from bulk_remove.run.again import ended_run
from bulk_remove.run.finish import REPORT, SUMMARY, write_again
from bulk_remove.run.folders import make_private, run_folders
from bulk_remove.run.job import in_thread
from bulk_remove.run.past import Explained, PastRun, explain_number, explained_as_json, past_run, verify_run
from bulk_remove.run.preflight import list_all
from bulk_remove.settings import LONGEST_REASON

MOST_BYTES = 1 << 30
"""The largest upload. A list of ten million numbers needs an eighth of it."""
_LOOPBACK = "127.0.0.1"
_COOKIE = "bulk_remove"
_COOKIE_LASTS_S = 30 * 86_400
_SHUTDOWN_S = 2.0
_LAST_RUNS, _MOST_RUNS = 5, 200
_LONGEST_NUMBER, _LONGEST_FILE_NAME = 100, 200
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FILES = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}
_NOT_THIS_BROWSER = phrase(
    "This browser may not open the page. Use the browser that opened it first, or start bulk-remove ui again."
)
_NOTHING_CHOSEN = {"profile": "", "campaign": "", "column": "", "sheet": "", "where": "", "canary": "yes", "reason": ""}
_DOWNLOADS = {
    "xlsx": (ReportFormat.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "html": (ReportFormat.HTML, "text/html"),
    "csv": (ReportFormat.CSV, "text/csv"),
    "json": (ReportFormat.JSON, "application/json"),
}


class Site:
    """The pages and their piece of work. `connect` returns the access of a profile and may block."""

    def __init__(
        self,
        profiles: Sequence[str],
        connect: Callable[[str], Access],
        state_dir: Path,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.work: Work | None = None
        self.token = token_urlsafe(32)
        self.base = f"/{token_urlsafe(12)}"
        self.origin = ""
        self._login = token_urlsafe(32)
        self._session = ""
        self._profiles = profiles
        self._connect = connect
        self._state_dirs = [state_dir]
        self._most_bytes = most_bytes
        self._file: tuple[str, SetAside] | None = None
        self._choice = dict(_NOTHING_CHOSEN)
        self._changing = asyncio.Lock()

    @property
    def link(self) -> str:
        """The login link, which works once."""
        return f"{self.origin}{self.base}/login/{self._login}"

    def application(self) -> web.Application:
        """Return the web application."""
        application = web.Application(middlewares=[self._guard])
        application.on_response_prepare.append(_with_headers)
        base = self.base
        application.add_routes(
            [
                web.get(f"{base}/login/{{login}}", self._log_in, allow_head=False),
                web.get(f"{base}/file/{{name}}", _file),
                web.get(f"{base}/", self._start),
                web.get(f"{base}/work", self._work),
                web.get(f"{base}/confirm", self._confirm),
                web.get(f"{base}/state", self._state),
                web.get(f"{base}/history", self._history),
                web.get(f"{base}/run/{{run}}", self._result),
                web.get(f"{base}/run/{{run}}/{{kind}}", self._download),
                web.post(f"{base}/language", self._speak),
                web.post(f"{base}/campaigns", self._campaigns),
                web.post(f"{base}/upload", self._upload),
                web.post(f"{base}/plan", self._plan),
                web.post(f"{base}/discard", self._discard),
                web.post(f"{base}/confirm", self._confirmed),
                web.post(f"{base}/steer", self._steer),
                web.post(f"{base}/again", self._again),
                web.post(f"{base}/explain", self._explain),
                web.post(f"{base}/verify", self._verify),
            ]
        )
        return application

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Accept only the browser that used the link, and POST requests only from our pages."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        logging_in = request.path.startswith(f"{self.base}/login/")
        if f"http://{host}" != self.origin or origin not in {None, self.origin}:
            raise web.HTTPForbidden
        if not logging_in:
            known = request.cookies.get(_COOKIE, "")
            if not self._session or not compare_digest(known.encode(), self._session.encode()):
                raise web.HTTPForbidden(text=translated(_NOT_THIS_BROWSER))
            if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
                raise web.HTTPForbidden
        if request.method == "POST":
            token = request.headers.get("X-Token", "")
            if origin is None or not compare_digest(token.encode(), self.token.encode()):
                raise web.HTTPForbidden
        try:
            return await handler(request)
        except BulkRemoveError as error:
            return self._refused(request, error)

    def _refused(self, request: web.Request, error: BulkRemoveError) -> web.Response:
        if request.method == "POST":
            told = {"problem": translated(error.sentence), "hint": _on_page(hint_shown(error))}
            return web.json_response(told, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        return self._page("problem.html.j2", problem=error, status=HTTPStatus.UNPROCESSABLE_ENTITY)

    def _page(self, template: str, status: HTTPStatus = HTTPStatus.OK, **shown: Any) -> web.Response:
        return web.Response(text=self._drawn(template, **shown), content_type="text/html", status=status)

    def _drawn(self, template: str, **shown: Any) -> str:
        own = {
            "base": self.base,
            "token": self.token,
            "language": language_in_use().code,
            "languages": LANGUAGES,
            "work": self.work,
            "busy": self.work is not None and self.work.stage is not Stage.ENDED,  # it still locks a campaign
        }
        return _templates().get_template(template).render(own | shown)

    async def _log_in(self, request: web.Request) -> web.Response:
        """Set the cookie. The browser does not send it after a cross-site redirect, so the page itself continues.

        A link that was used sets no cookie: only the browser that has it gets further.
        """
        if not compare_digest(request.match_info["login"].encode(), self._login.encode()):
            raise web.HTTPForbidden(text=translated(_NOT_THIS_BROWSER))
        response = self._page("login.html.j2")
        if self._session:
            return response
        self._session = token_urlsafe(32)
        response.set_cookie(
            _COOKIE, self._session, path=f"{self.base}/", httponly=True, samesite="Strict", max_age=_COOKIE_LASTS_S
        )
        return response

    async def _start(self, _request: web.Request) -> web.Response:
        runs = await in_thread(_latest, self._folders(), _LAST_RUNS)
        chosen = self._choice["profile"]
        mine = self._mine()
        return self._page(
            "start.html.j2",
            profiles=self._profiles,
            profile=chosen if chosen in self._profiles else self._profiles[0],
            longest_reason=LONGEST_REASON,
            runs=[run_shown(run, mine) for run in runs],
        )

    def _mine(self) -> str:
        return self.work.run_id if self.work and self.work.sending else ""

    async def _campaigns(self, request: web.Request) -> web.Response:
        access = await self._access((await request.post()).get("profile", ""))
        listed = await in_thread(list_all, access.settings, access.address, access.login, access.state_dir)
        return self._part("campaigns.html.j2", campaigns=listed, chosen=access.campaign, host=access.address.host)

    def _part(self, template: str, **shown: Any) -> web.Response:
        return web.json_response({"html": self._drawn(template, **shown)})

    async def _access(self, profile: object) -> Access:
        if profile not in self._profiles:
            raise UsageError("This profile is not known.", "Choose one from the list.")
        access = await in_thread(self._connect, str(profile))
        if access.state_dir not in self._state_dirs:
            self._state_dirs.append(access.state_dir)
        return access

    def _folders(self) -> list[Path]:
        """Return the folders of the runs of every profile that was used, oldest first."""
        folders = [folder for place in self._state_dirs for folder in run_folders(place)]
        return sorted(folders, key=lambda folder: folder.name)

    async def _upload(self, request: web.Request) -> web.Response:
        """Keep the upload where nobody else can open it. It is deleted when this process ends, at the latest."""
        name = shown_name(unquote(request.headers.get("X-Name", "")))
        self._file, size = None, 0
        try:
            with TemporaryFile(dir=self._state_dirs[0]) as file:
                async for piece in request.content.iter_chunked(1 << 18):
                    size += len(piece)
                    if size > self._most_bytes:
                        most = self._most_bytes >> 20
                        raise InputError(phrase("The file is larger than {most:,} MB.", most=most), "Split it.")
                    file.write(piece)
                if not size:
                    raise InputError("The file is empty.", "Choose another one.")
                file.seek(0)
                self._file = name, await in_thread(set_aside, name, file, self._state_dirs[0])
        except OSError as error:
            raise StorageError(
                phrase(
                    "The folder {folder} cannot be used: {problem}.", folder=self._state_dirs[0], problem=error.strerror
                ),
                "Make room there.",
            ) from None
        return web.json_response({})

    async def _plan(self, request: web.Request) -> web.Response:
        """Plan the file with the chosen values. An earlier plan is dropped."""
        given = {name: str(value).strip() for name, value in (await request.post()).items()}
        if self._file is None:
            raise InputError("No file is chosen.", "Choose the file with the numbers first.")
        profile = given.get("profile", self._choice["profile"])
        access = await self._access(profile)
        campaign = given.get("campaign") or self._choice["campaign"]
        if not campaign:
            raise UsageError("No campaign is chosen.", "Choose the campaign to remove the numbers from.")
        canary, own = given.get("canary", "yes") == "yes", access.settings
        reason = given.get("reason", self._choice["reason"])
        settings = replace(
            own,
            campaign=campaign,
            campaign_column=None,
            column=given.get("column") or own.column,
            sheet=given.get("sheet") or own.sheet,
            where=(given["where"],) if given.get("where") else own.where,
            canary=canary,
            reason=reason or own.reason,
            stop_when_missing=MAX_NOT_EXIST if canary and own.stop_when_missing is None else own.stop_when_missing,
        )
        planning = of_file(access, settings, *self._file)
        await self._begin(access, planning)
        self._choice = {**_NOTHING_CHOSEN, **given, "profile": profile, "campaign": campaign, "reason": reason}
        return self._go_to("work")

    async def _begin(self, access: Access, planning: Planning) -> None:
        """Replace the current plan by another one."""
        async with self._changing:
            await self._dropped()
            self.work = Work(access, planning)

    async def _dropped(self) -> None:
        """Drop the waiting plan. Raises UsageError while a run is being sent."""
        if self.work is not None and self.work.sending:
            raise UsageError("A run is under way.", "Wait for it to end, or stop it on its page.")
        await self.stopped(Ending.PAGE)
        self.work = None

    async def stopped(self, ending: Ending) -> None:
        """Stop the current work and wait until it has ended."""
        if self.work is not None:
            self.work.stop(ending)
            await self.work.ended()

    def _go_to(self, place: str) -> web.Response:
        return web.json_response({"go": f"{self.base}/{place}"})

    async def _discard(self, _request: web.Request) -> web.Response:
        async with self._changing:
            await self._dropped()
        self._forget()
        return self._go_to("")

    def _forget(self) -> None:
        """Forget the file and its reason."""
        self._file, self._choice["reason"] = None, ""

    async def _work(self, _request: web.Request) -> web.StreamResponse:
        """Show the plan, the progress or the result."""
        work = self.work
        if work is None:
            raise web.HTTPSeeOther(f"{self.base}/")
        if work.stage is Stage.PLANNING:
            return self._page("planning.html.j2", progress=progress_shown(work))
        if work.sending:
            plan = work.shown and work.shown.left
            rehearsal = rehearsal_told(plan) if plan else ""
            return self._page("watch.html.j2", progress=progress_shown(work), plan=plan, rehearsal=rehearsal)
        if work.done is not None:
            raise web.HTTPSeeOther(f"{self.base}/run/{work.run_id}")
        if work.problem is None or self._file is None:
            columns: Sequence[str] = ()
        else:  # the person may choose another column
            columns = await in_thread(columns_of, *self._file, work.access, self._choice["sheet"])
        if work.sheets is None:
            work.sheets = await in_thread(sheets_in, *self._file, work.access) if self._file else ()
        shown = {"columns": columns, "sheets": work.sheets, **plan_shown(work)}
        return self._page("plan.html.j2", problem=work.problem, choice=self._choice, **shown)

    async def _confirm(self, _request: web.Request) -> web.Response:
        if self.work is None or self.work.stage is not Stage.ASKING:
            raise web.HTTPSeeOther(f"{self.base}/work")
        return self._page("confirm.html.j2", **plan_shown(self.work))

    async def _confirmed(self, request: web.Request) -> web.Response:
        """Start the run of a plan. A second answer gets 409."""
        given = await request.post()
        work = self.work
        right = work.confirms(str(given.get("plan", "")), str(given.get("typed", ""))) if work else None
        if right is None:
            told = {
                "problem": translated("This plan was already confirmed or dropped."),
                "hint": translated("Look at the page of the run."),
                "html": "",  # takes the count and the button away
            }
            return web.json_response(told, status=HTTPStatus.CONFLICT)
        if not right:
            raise UsageError("That is not the number of phone numbers.", "Type the number shown in large figures.")
        self._forget()
        return self._go_to("work")

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response(progress_shown(self.work) if self.work else {"stage": "none", "fields": {}})

    async def _steer(self, request: web.Request) -> web.Response:
        key = (await request.post()).get("key")
        if self.work is None or key not in set(Key):
            raise UsageError("The run is ending.", "Look at its result.")
        return web.json_response({"said": translated(self.work.steer(Key(str(key))))})

    def _folder(self, run: object) -> Path:
        folder = next((folder for folder in self._folders() if folder.name == run), None)
        if folder is None:
            raise InputError("This run is not known.", "Choose one in the history.")
        return folder

    async def _result(self, request: web.Request) -> web.Response:
        run = await in_thread(past_run, self._folder(request.match_info["run"]))
        if run.run_id == self._mine():
            raise web.HTTPSeeOther(f"{self.base}/work")
        done = self.work.done if self.work and self.work.run_id == run.run_id else None
        return self._page("result.html.j2", downloads=[*_DOWNLOADS], **await in_thread(result_shown, run, done))

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """Return a file of a run's report. A missing one is written from the ledger."""
        folder, kind = self._folder(request.match_info["run"]), request.match_info["kind"]
        if kind not in _DOWNLOADS:
            raise web.HTTPNotFound
        form, content_type = _DOWNLOADS[kind]
        path = folder / (Path(REPORT).with_suffix(SUMMARY).name if kind == "json" else f"report.{kind}")
        if not path.exists():
            await in_thread(_write, folder, form, path)
        name = f"{folder.name}-{path.name}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": content_type}
        return web.FileResponse(path, headers=headers)

    async def _speak(self, request: web.Request) -> web.Response:
        code = (await request.post()).get("language")
        if code in LANGUAGES:
            use(load_language(str(code)))
        return web.json_response({"go": ""})

    async def _again(self, request: web.Request) -> web.Response:
        """Plan the rest of a run, as the same run or as a new one."""
        given = await request.post()
        folder = self._folder(given.get("run"))
        access = await self._access_to(await in_thread(past_run, folder))
        await self._begin(access, of_run(access, folder.name, str(given.get("how"))))
        return self._go_to("work")

    async def _access_to(self, run: PastRun) -> Access:
        """Return the access of the profile for a run's system."""
        for profile in self._profiles:
            with suppress(UsageError):  # another profile may have no password
                access = await self._access(profile)
                if access.address.host == run.host and access.state_dir == run.folder.parents[1]:
                    return access
        raise InputError(
            phrase("No profile is for {host}, where this run was sent.", host=run.host),
            "Start the page with the profile of that system.",
        )

    async def _history(self, _request: web.Request) -> web.Response:
        runs = await in_thread(_latest, self._folders(), _MOST_RUNS)
        mine = self._mine()
        return self._page("history.html.j2", runs=[run_shown(run, mine) for run in runs])

    async def _explain(self, request: web.Request) -> web.Response:
        number = str((await request.post()).get("number", ""))[:_LONGEST_NUMBER]
        if not any(map(str.isdigit, number)):
            raise InputError("That is not a phone number.", "Type it as in your list.")
        found = await in_thread(_explained, self._state_dirs, number)
        return self._part("explained.html.j2", found=found, number=number)

    async def _verify(self, request: web.Request) -> web.Response:
        folder = self._folder((await request.post()).get("run"))
        proof = await in_thread(verify_run, folder, "")
        return self._part("verified.html.j2", proof=proof)


def _explained(state_dirs: Sequence[Path], number: str) -> list[tuple[dict[str, Any], Explained]]:
    return [(explained_as_json(one), one) for place in state_dirs for one in explain_number(place, number)]


def _latest(folders: Sequence[Path], most: int) -> list[PastRun]:
    """Return the latest approved runs, newest first."""
    approved = (run for run in map(past_run, reversed(folders)) if run.told or run.problem)
    return [*islice(approved, most)]


def _write(folder: Path, form: ReportFormat, path: Path) -> None:
    with ended_run(folder) as (ready, ending):
        write_again(ready, ending, form, path, CsvFor.PROGRAMS)


def shown_name(name: str) -> str:
    """Return the file name to show. No file is opened by this name; only its ending is used, for the kind of file."""
    return one_line(name.replace("\\", "/").rpartition("/")[2])[-_LONGEST_FILE_NAME:].strip(" -") or "numbers.csv"


_RUN = re.compile(r"(?:bulk-remove resume )?([0-9]{8}-[0-9]{6}-[0-9a-f]{4})\b")


def _on_page(text: str) -> str:
    """Return a text in the language in use; the browser does not break a line inside a flag."""
    return translated(ours(text)).replace("--", "\u2011\u2011")


def _parts(text: str) -> Sequence[str]:
    """Return a text in parts, of which every second one is the id of a run. A command for the run is left out."""
    return _RUN.split(_on_page(text))


@cache
def _templates() -> jinja2.Environment:
    here = files(__package__)
    environment = speaking(jinja2.FunctionLoader(lambda name: here.joinpath(name).read_text(encoding="utf-8")))
    environment.filters |= {"hint": hint_shown, "parts": _parts}
    environment.filters["file_name"] = lambda path: harmless(Path(path).name)
    return environment


async def _file(request: web.Request) -> web.Response:
    """Return one of the page's own files."""
    name = request.match_info["name"]
    if name not in _FILES:
        raise web.HTTPNotFound
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return web.Response(text=text, content_type=_FILES[name])


async def _with_headers(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@asynccontextmanager
async def serving(
    profiles: Sequence[str], connect: Callable[[str], Access], state_dir: Path, most_bytes: int = MOST_BYTES
) -> AsyncIterator[Site]:
    """Serve the page on a free port of this machine. At the end, stop a run safely and wait for it."""
    site = Site(profiles, connect, make_private(state_dir), most_bytes)
    runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, _LOOPBACK, 0).start()
        site.origin = f"http://{_LOOPBACK}:{runner.addresses[0][1]}"
        yield site
        await site.stopped(Ending.INTERRUPTED)
    finally:
        await runner.cleanup()


def serve(
    profiles: Sequence[str],
    connect: Callable[[str], Access],
    state_dir: Path,
    opened: Callable[[str], None],
    until: Callable[[Callable[[Ending], None]], AbstractContextManager[None]],
) -> None:
    """Serve until stopped. `opened` receives the link. `until` receives the function that stops the server."""

    async def served() -> None:
        closed = asyncio.Event()
        async with serving(profiles, connect, state_dir) as site:

            def stop(ending: Ending) -> None:
                if site.work is not None:
                    site.work.stop(ending)
                closed.set()

            with until(stop):
                opened(site.link)
                await closed.wait()
                await site.stopped(Ending.INTERRUPTED)  # inside, so that a second signal ends it at once

    asyncio.run(served())
