"""Clients in pages of their own that talk while their network or their server goes away (`js/crowd.js`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.e2e.sdk.ledger import Log, Record, discrepancies, read_log, read_record, summary
from tests.e2e.sdk.stage import BLANK, MODULES, serve_scenarios
from tests.e2e.server import ServerProcess

ENTER = """async ([entry, app, uid, room]) => {
    const { default: rtm } = await import(entry);
    const { makeMember } = await import('/e2e/crowd.js');
    globalThis.members ??= new Map();
    const member = makeMember(rtm, location.origin, app, uid, room);
    globalThis.members.set(uid, member);
    await member.enter();
}"""
ON_MEMBER = "([uid, ...given]) => {{ const member = globalThis.members.get(uid); {} }}"
# Begun in one page after the other, so that all are under way at once; then each is waited for.
BEGIN = ON_MEMBER.format("(globalThis.begun ??= new Map()).set(uid, member[given[0]](...given.slice(1))); return null;")
END = "async (uid) => { await globalThis.begun.get(uid); }"


@dataclass
class Crowd:
    """Everybody is in one room. `pages`: each uid's page, which may be another's too."""

    context: BrowserContext
    app: str
    room: str = "crowd"
    pages: dict[str, Page] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def open(self, origin: str) -> Page:
        """A blank page from the server as it is known at this address."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.goto(f"{origin}{BLANK}")
        return page

    def enter(self, uid: str, page: Page) -> None:
        self.pages[uid] = page
        page.evaluate(ENTER, [MODULES, self.app, uid, self.room])

    def on(self, uid: str, script: str, *given: Any) -> Any:
        """Runs a few lines on a client's `member`, and waits for what they return."""
        return self.pages[uid].evaluate(ON_MEMBER.format(script), [uid, *given])

    def begin(self, method: str) -> None:
        """Calls a method of each member with everybody else's uids; `end` waits for all of them."""
        for uid, page in self.pages.items():
            page.evaluate(BEGIN, [uid, method, [other for other in self.pages if other != uid]])

    def end(self) -> None:
        for uid, page in self.pages.items():
            page.evaluate(END, uid)

    def talk(self) -> None:
        """Everybody talks from now on."""
        self.begin("talk")

    def hear(self) -> None:
        """Until everybody has news of everybody else."""
        self.begin("hears")
        self.end()

    def finish(self) -> None:
        """The traffic ends: everything is answered, and everybody has heard everybody's last words."""
        self.begin("finish")
        self.end()

    def records(self) -> list[Record]:
        return [read_record(self.on(uid, "return member.record()")) for uid in self.pages]

    def course(self, uid: str) -> list[str]:
        """The states it was told of after the login."""
        return [one["state"] for one in self.on(uid, "return member.course")][2:]

    def told(self, uid: str, event: str) -> list[Any]:
        """The first argument of each event of that name."""
        first: list[Any] = self.on(uid, "return member.all(given[0]).map(([first]) => first)", event)
        return first

    def times(self) -> Mapping[str, Sequence[str]]:
        """Each client's states with the seconds since its first; for a report, never for an assertion."""
        times = {}
        for uid in self.pages:
            course = self.on(uid, "return member.course")
            times[uid] = [f"{(one['atMs'] - course[0]['atMs']) / 1000:.1f} s {one['state']}" for one in course]
        return times


def context_of(browser: Browser) -> BrowserContext:
    context = browser.new_context()
    serve_scenarios(context)
    return context


def check_ledger(crowd: Crowd, server: ServerProcess) -> tuple[Sequence[Record], Log]:
    """Nothing acknowledged was lost, nothing came twice, and the order is the server's."""
    streams = {f"room:{crowd.room}"} | {f"inbox:{uid}" for uid in crowd.pages}
    records, log = crowd.records(), read_log(server.database, crowd.app, streams)
    print(summary(records, log))
    for uid, course in crowd.times().items():
        if len(course) > 2:
            print(f"{uid}: {', '.join(course)}")
    wrong = discrepancies(records, log)
    assert not wrong, "\n".join(wrong)
    return records, log
