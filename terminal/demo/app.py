"""The demo's page: what it shows is asked of the running programs, what it does is done to them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, Response
from jinja2 import Environment, PackageLoader

from ledger.errors import LedgerError
from ledger.look import look_file
from terminal.demo.stage import CounterOnStage, Stage
from terminal.demo.steps import Steps
from terminal.errors import DemoError
from terminal.words import words

Report = dict[str, Any]
STATIC = {"demo.css": "text/css; charset=utf-8", "demo.js": "text/javascript; charset=utf-8"}
STEPS = (
    ("Click a card at counter 1, then press Serahkan.", "Green, and a slip."),
    ("The same card again:", "SUDAH DIAMBIL, with time and place."),
    ("The same card at counter 2, cable out.", "It is given from the away quota, and the page "
     "says what could now be given twice."),
    ("Both cables in, sync now.", "The province shows the double: both records, one winner."),
    ("Pull the plug of counter 1.", "It comes back with its last receipt, and the journal "
     "holds together."),
)  # fmt: skip
ROWS = 8


def create_app(stage: Stage, *, homes: list[str], shown: Report) -> FastAPI:
    """The page and its switches.

    Args:
        stage: the running programs.
        homes: what each counter is home to, in words.
        shown: the cards of the ``drawer``, its ``chips``, ``away`` (households a counter may serve
            elsewhere), and ``without_card``: a made-up number to find a family by.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page = Environment(loader=PackageLoader("terminal.demo"), autoescape=True)
    board = _Board(stage, Steps())

    @app.get("/")
    async def show_page() -> HTMLResponse:
        counters = [
            {"url": c.page.url if c.page else "", "home": home}
            for c, home in zip(stage.counters, homes, strict=True)
        ]
        values = {**shown, "steps": STEPS, "counters": counters, "link": stage.says_of_chips()}
        html = page.get_template("demo.html").render(folder=_short(stage.folder), **values)
        return HTMLResponse(html)

    @app.get("/stage")
    async def show_stage() -> JSONResponse:
        return JSONResponse(await run_in_threadpool(board.look))

    @app.post("/{act}/{number}")
    async def act_on(act: str, number: int) -> JSONResponse:
        if act not in board.acts or not 1 <= number <= len(stage.counters):
            return JSONResponse({"said": "there is no such switch"}, status_code=404)
        said = await run_in_threadpool(board.act, act, stage.counters[number - 1])
        return JSONResponse({"said": said})

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in STATIC:
            return Response(status_code=404)
        data = files("terminal.demo").joinpath("static", name).read_bytes()
        return Response(data, media_type=STATIC[name])

    @app.get("/look/{name}")
    async def look(name: str) -> Response:
        file = look_file(name)
        return Response(file.data, media_type=file.content_type) if file else Response(None, 404)

    _add_chips(app, stage)
    _guard(app, stage)
    return app


def _add_chips(app: FastAPI, stage: Stage) -> None:
    """Chip cards, laid on a counter's reader and taken away."""

    @app.post("/lay/{number}/{uid}")
    async def lay(number: int, uid: str) -> JSONResponse:
        if not 1 <= number <= len(stage.counters):
            return JSONResponse({"said": "there is no such counter"}, status_code=404)
        try:
            await run_in_threadpool(stage.lay_chip, number, uid)
        except DemoError as error:
            return JSONResponse({"said": str(error)}, status_code=404)
        return JSONResponse({"said": ""})


def _guard(app: FastAPI, stage: Stage) -> None:
    """Only this machine's own browser on this very address, and nothing from elsewhere in it."""
    frames = " ".join(f"http://127.0.0.1:{c.port}" for c in stage.counters)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
        f" connect-src 'self'; frame-src {frames}; frame-ancestors 'none'; base-uri 'none'"
    )

    @app.middleware("http")
    async def guard(request: Request, call_next: Any) -> Response:
        host = request.headers.get("host", "")
        origin = request.headers.get("origin")
        own = {f"127.0.0.1:{request.url.port}", f"localhost:{request.url.port}"}
        if host not in own or (origin is not None and origin.removeprefix("http://") not in own):
            return JSONResponse({"said": "this page is for this machine alone"}, status_code=403)
        response: Response = await call_next(request)
        response.headers["Content-Security-Policy"] = policy
        response.headers["Cache-Control"] = "no-store"
        return response


class _Board:
    """What the page shows and does."""

    def __init__(self, stage: Stage, steps: Steps) -> None:
        self.stage = stage
        self.steps = steps
        self.say = words("en")
        self.acts = {"cable": self._cable, "sync": self._sync, "plug": self._plug}

    def act(self, act: str, counter: CounterOnStage) -> str:
        """Do one thing to one counter; the answer is a sentence."""
        try:
            return self.acts[act](counter)
        except (DemoError, LedgerError) as error:
            return str(error)

    def look(self) -> Report:
        """Ask everything that runs how it stands."""
        states = [{**c.state(), "cable": c.cable} for c in self.stage.counters]
        province = self.stage.province()
        plugged = [
            {
                "before": c.last_before,
                "after": (state.get("last") or {}).get("number"),
                "checked": c.checked,
            }
            for c, state in zip(self.stage.counters, states, strict=True)
            if c.plug_pulled
        ]
        done = self.steps.look(states, province, plugged)
        shown = [self._counter(c, s) for c, s in zip(self.stage.counters, states, strict=True)]
        province_now = self._province(province)
        lying = self.stage.lying()
        return {"counters": shown, "steps": done, "province": province_now, "lying": lying}

    def _cable(self, counter: CounterOnStage) -> str:
        counter.cable = not counter.cable
        return "the road is open" if counter.cable else "nothing leaves and nothing comes"

    def _sync(self, counter: CounterOnStage) -> str:
        report = counter.sync()
        return f"sent: {report['uploaded']} · brought: {report['usage_new']}"

    def _plug(self, counter: CounterOnStage) -> str:
        counter.pull_plug()
        return "killed with -9 and started again"

    def _counter(self, counter: CounterOnStage, state: Report) -> Report:
        head = state.get("head") or ""
        checked = None
        if counter.checked:
            ok = "clean" if counter.checked["ok"] else "FAULTS"
            last = (state.get("last") or {}).get("number")
            said = f"fsck {ok}: {counter.checked['entries']} entries, last receipt {last}, head "
            checked = {
                "said": said + counter.checked["head"][:16] + ". By hand:",
                "head": counter.checked["head"],
                "command": counter.fsck_command(),
            }
        return {
            "url": counter.page.url if counter.page else "",
            "up": bool(state),
            "cable": counter.cable,
            "waiting": state.get("waiting", 0),
            "head_short": head[:12],
            "twice_rupiah": state.get("twice_rupiah", 0),
            "twice": self.say.money(state.get("twice_rupiah", 0)),
            "exposure": self._exposure(counter, state),
            "checked": checked,
            "starts": counter.starts,
        }

    def _exposure(self, counter: CounterOnStage, state: Report) -> str:
        """Asked once something was given away from home that nobody else can know of."""
        if not state.get("twice_rupiah"):
            return ""
        found = counter.exposure(state.get("head") or "")
        if not found:
            return ""
        event, money = found.get("event") or {}, self.say.money
        return (
            f"At most {money(found['twice'])} more here, {money(event.get('twice', 0))} at an event"
            f" of both counters; a thief of this one could give {money(found['thief'])}."
        )

    def _province(self, province: Report) -> Report:
        rows = province.get("redemptions", [])[:ROWS]
        return {
            "received": province.get("received", 0),
            "redemptions": [
                {
                    "when": row["at"][11:16].replace(":", "."),
                    "point": f"{row['terminal']}, {row['point']}",
                    "household": row["household"][:8],
                    "given": f"{row['quantity']} {row['unit']}, {row['programme']}",
                    "number": row["number"],
                }
                for row in rows
            ],
            "cases": [
                {"winner": c["winner"], "losers": ", ".join(c["losers"]), "why": c.get("why", "")}
                for c in province.get("cases", [])
            ],
        }


def _short(folder: Path) -> str:
    try:
        return f"./{folder.relative_to(Path.cwd())}"
    except ValueError:
        return str(folder)
