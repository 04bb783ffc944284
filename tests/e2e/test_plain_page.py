"""The plain page in a real browser against a real server."""

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.e2e.conftest import MakePerson
from tests.e2e.people import RECONNECT_MS
from tests.e2e.server import ServerProcess

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_two_people_chat(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo Li")
    ann.join(url, room)
    bo.join(url, room)
    ann.say("Good morning")
    bo.expect_messages(["Good morning"])
    bo.say("Morning <b>Ann</b>, see https://example.org/a?b=1.")
    talk = ["Good morning", "Morning <b>Ann</b>, see https://example.org/a?b=1."]
    ann.expect_messages(talk)
    bo.expect_messages(talk)
    expect(ann.own_messages).to_have_text(["Good morning"])
    expect(bo.own_messages).to_have_text([talk[1]])
    expect(ann.page.locator("#messages a")).to_have_attribute("href", "https://example.org/a?b=1")
    expect(ann.page.locator("#messages .who b")).to_have_text(["Bo Li"])
    expect(bo.page.locator("#messages .state:visible")).to_have_text(["Sent"])
    own, other = ann.messages.nth(0).bounding_box(), ann.messages.nth(1).bounding_box()
    assert own is not None
    assert other is not None
    assert own["x"] > other["x"]


SEND_FILES = """async ([room, png]) => {
  const { AgoraRTM } = await import("/static/rtm/index.js");
  const client = AgoraRTM.createInstance(JSON.parse(document.getElementById("config").textContent).app);
  await client.login({ uid: "teacher" });
  const channel = client.createChannel(room);
  await channel.join();
  const image = new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]);
  const upload = (blob, params) => client.createMediaMessageByUploading(blob, params);
  const sheet = { messageType: "FILE", fileName: "表 1.txt", description: "for today" };
  await channel.sendMessage(await upload(new Blob(["1 2 3"]), sheet));
  await channel.sendMessage(await upload(image, { messageType: "IMAGE", fileName: "red.png" }));
  await client.logout();
}"""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAIAAAAiZtkUAAAAFElEQVR42mM8ISfHgAqYGDAAcUIATU4BDNzEGswAAAAASUVORK5CYII="


def test_files_and_images_are_shown_and_fetched(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo")
    ann.join(url, room)
    bo.open(url)
    bo.page.evaluate(SEND_FILES, [room, PNG])
    ann.page.reload()  # those of the history as those that come
    ann.expect_messages([re.compile("表 1.txt.*5 bytes.*for today"), re.compile("red.png")])
    expect(ann.page.locator(".img-msg img")).to_have_js_property("naturalWidth", 6)
    with ann.page.expect_download() as download:
        ann.page.get_by_role("button", name="Download 表 1.txt").click()
    assert download.value.suggested_filename == "表 1.txt"
    assert Path(download.value.path()).read_text() == "1 2 3"
    with ann.context.expect_page() as opened:
        ann.page.get_by_role("button", name="Open the image red.png").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("document.images.length") == 1


def test_both_see_one_order_when_they_write_at_once(url: str, room: str, person: MakePerson) -> None:
    people = [person("Ann"), person("Bo")]
    for someone in people:
        someone.join(url, room)
    for number in range(20):
        for someone in people:
            someone.say(f"{someone.name} {number}")
    expect(people[0].messages).to_have_count(40)
    expect(people[1].messages).to_have_count(40)
    assert people[0].messages.all_text_contents() == people[1].messages.all_text_contents()


def test_a_reload_keeps_the_history_and_the_draft_and_nobody_notices(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo")
    ann.join(url, room)
    bo.join(url, room)
    ann.say("before")
    bo.expect_messages(["before"])
    expect(ann.notes).to_have_text(["Bo joined"])
    bo.field.fill("half a sent")
    bo.page.reload()
    bo.expect_in_room()
    bo.expect_messages(["before"])
    expect(bo.field).to_have_value("half a sent")
    bo.say("after")
    ann.expect_messages(["before", "after"])
    expect(ann.notes).to_have_text(["Bo joined"])
    expect(bo.people).to_have_text(["Bo", "Ann"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "drained"])
def test_the_server_goes_and_comes_back_and_what_was_typed_arrives_once(
    how: signal.Signals, own_server: ServerProcess, room: str, person: MakePerson
) -> None:
    ann, bo = person("Ann"), person("Bo")
    ann.join(own_server.url, room)
    bo.join(own_server.url, room)
    ann.say("before")
    bo.expect_messages(["before"])

    own_server.stop(how)
    expect(ann.connection).to_have_text("Reconnecting")
    expect(ann.page.locator("#banner")).to_contain_text("Keep writing")
    ann.say("meanwhile")
    ann.say("and more")
    expect(ann.page.locator("#messages .state:visible")).to_have_text(["Waits for the connection"] * 2)

    own_server.start()
    talk = ["before", "meanwhile", "and more"]
    expect(ann.page.locator("#banner")).to_contain_text("2 messages sent.", timeout=RECONNECT_MS)
    expect(ann.connection).to_have_text("Good connection")
    ann.expect_messages(talk)
    bo.expect_messages(talk, RECONNECT_MS)
    ann.say("after")
    bo.expect_messages([*talk, "after"], RECONNECT_MS)
    ann.page.reload()
    ann.expect_messages([*talk, "after"])
    expect(bo.people).to_have_text(["Bo", "Ann"])
    expect(bo.notes).to_have_count(0)


def test_try_now_does_not_wait_for_the_back_off(own_server: ServerProcess, room: str, person: MakePerson) -> None:
    ann = person("Ann")
    ann.join(own_server.url, room)
    own_server.stop(signal.SIGKILL)
    expect(ann.page.locator("#banner")).to_be_visible()
    own_server.start()
    ann.page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(ann.connection).to_have_text("Good connection")


def test_the_member_list_follows_who_comes_and_goes(url: str, room: str, person: MakePerson) -> None:
    ann, bo, wang = person("Ann"), person("Bo"), person("王子涵")
    ann.join(url, room)
    expect(ann.people).to_have_text(["Ann"])
    bo.join(url, room)
    wang.join(url, room)
    expect(ann.people).to_have_text(["Ann", "Bo", "王子涵"])
    expect(ann.page.locator("#people-stat")).to_have_attribute("aria-label", "3 people here")
    expect(wang.people).to_have_text(["王子涵", "Ann", "Bo"])
    bo.page.locator("#leave").click()
    expect(ann.people).to_have_text(["Ann", "王子涵"])
    expect(ann.notes).to_have_text(["Bo joined and left · 王子涵 joined"])
    expect(bo.page.locator("body")).to_have_attribute("data-view", "join")
    bo.page.locator("#join-button").click()
    bo.expect_in_room()
    expect(ann.people).to_have_text(["Ann", "Bo", "王子涵"])


def test_two_people_of_one_name_are_two(url: str, room: str, person: MakePerson) -> None:
    first, second = person("Ann"), person("Ann")
    first.join(url, room)
    second.join(url, room)
    expect(first.people).to_have_text(["Ann", "Ann"])
    second.say("hello")
    first.expect_messages(["hello"])
    expect(first.own_messages).to_have_count(0)


def test_the_history_comes_in_pages(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo")
    ann.join(url, room)
    for number in range(120):
        ann.say(f"message {number}")
    expect(ann.messages).to_have_count(120)
    bo.join(url, room)
    expect(bo.messages).to_have_count(50)
    expect(bo.messages.first).to_have_text("message 70")
    expect(bo.messages.last).to_be_in_viewport()
    earlier = bo.page.get_by_role("button", name="Show earlier messages")
    earlier.click()
    expect(bo.messages).to_have_count(100)
    expect(bo.messages.nth(50)).to_have_text("message 70")
    expect(bo.messages.nth(50)).to_be_in_viewport()
    earlier.click()
    expect(bo.messages).to_have_text([f"message {number}" for number in range(120)])
    expect(earlier).to_be_hidden()


def test_what_comes_while_the_reader_looks_back_is_marked_new(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo")
    ann.join(url, room)
    bo.join(url, room)
    for number in range(40):
        ann.say(f"message {number}")
    expect(bo.messages).to_have_count(40)
    bo.page.locator("#log").press("Home")
    jump = bo.page.locator("#jump")
    expect(bo.messages.first).to_be_in_viewport()
    expect(jump).to_be_visible()
    expect(jump).to_have_text("Go to the newest")
    ann.say("news")
    ann.say("more news")
    expect(jump).to_have_text("2 new messages")
    expect(bo.page).to_have_title(f"(2) {room} · Rostrum")
    expect(bo.messages.first).to_be_in_viewport()
    expect(bo.page.locator("#messages .new + .msg .bub")).to_have_text("news")
    box = jump.bounding_box()
    assert box is not None
    assert box["height"] < 60
    jump.click()
    expect(bo.messages.last).to_be_in_viewport()
    expect(jump).to_be_hidden()
    expect(bo.page).to_have_title(f"{room} · Rostrum")
    bo.say("seen")
    expect(bo.page.locator("#messages .new")).to_have_count(0)


def test_a_refused_message_can_be_tried_again_or_deleted(url: str, room: str, person: MakePerson) -> None:
    ann = person("Ann")
    refused: list[str] = []

    def refuse_twice(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def pass_on(frame: str | bytes) -> None:
            text = str(frame)
            if '"room.send"' in text and len(refused) < 2:
                refused.append(text)
                request = re.search(r'"id":(\d+)', text)
                assert request is not None
                error = '{"code":6,"message":"no","data":{"name":"not_authorized","retryable":false}}'
                route.send(f'{{"jsonrpc":"2.0","id":{request[1]},"error":{error}}}')
            else:
                server.send(frame)

        route.on_message(pass_on)

    ann.page.route_web_socket(re.compile("/rtm/ws"), refuse_twice)
    ann.join(url, room)
    ann.say("first")
    ann.say("second")
    failed = ann.page.locator("#messages .msg.failed")
    expect(failed).to_have_count(2)
    expect(failed.first).to_contain_text("Not sent")
    failed.first.get_by_role("button", name="Try again").click()
    expect(failed).to_have_count(1)
    failed.first.get_by_role("button", name="Delete").click()
    ann.expect_messages(["first"])
    ann.page.reload()
    ann.expect_messages(["first"])


def test_the_room_in_another_window_can_be_taken_back(url: str, room: str, person: MakePerson) -> None:
    ann = person("Ann")
    ann.join(url, room)
    ann.say("here")
    other = ann.context.new_page()
    other.goto(f"{url}/?room={room}&name=Ann")
    other.locator("#join-button").click()
    expect(other.locator("#messages .bub")).to_have_text(["here"])
    expect(ann.page.locator("#banner")).to_contain_text("another window")
    ann.say("kept")
    ann.page.get_by_role("button", name="Use it here").click()
    ann.expect_in_room()
    ann.expect_messages(["here", "kept"])
    expect(ann.page.locator("#messages .state:visible")).to_have_text(["Sent"])
    expect(other.locator("#banner")).to_contain_text("another window")


def test_a_link_fills_the_form_in(url: str, person: MakePerson) -> None:
    ann = person("Ann")
    ann.open(f"{url}/?room=math&name=Ann")
    expect(ann.page.locator("#name")).to_have_value("Ann")
    expect(ann.page.locator("#room")).to_have_value("math")
    expect(ann.page.locator("#join-button")).to_be_focused()


def test_what_is_wrong_in_the_form_is_said_at_the_field(url: str, person: MakePerson) -> None:
    ann = person("Ann")
    ann.open(f"{url}/?room=")
    ann.page.locator("#join-button").click()
    expect(ann.page.locator("#name")).to_be_focused()
    expect(ann.page.locator("#name-error")).to_have_text("Enter your name.")
    expect(ann.page.locator("#room-error")).to_have_text("Enter a room.")
    expect(ann.page.locator("#name")).to_have_attribute("aria-invalid", "true")
    ann.page.locator("#name").fill("字" * 20)
    ann.page.locator("#room").fill("math")
    ann.page.locator("#join-button").click()
    expect(ann.page.locator("#name-error")).to_contain_text("too long")
    expect(ann.page.locator("#room-error")).to_be_hidden()


def test_on_a_phone_nothing_scrolls_sideways(url: str, room: str, person: MakePerson) -> None:
    ann = person("Maximiliana Featherstonehaugh-Cholmondeley", **PHONE)
    ann.open(url)
    ann.expect_no_sideways_scroll()
    ann.join(url, room)
    ann.say("x" * 300)
    ann.say("https://example.org/" + "long" * 60)
    expect(ann.messages).to_have_count(2)
    ann.expect_no_sideways_scroll()
    expect(ann.page.locator("#people")).to_be_hidden()
    ann.page.get_by_role("tab", name="Members 1").tap()
    expect(ann.people).to_have_text([ann.name])
    expect(ann.page.locator("#messages")).to_be_hidden()
    ann.expect_no_sideways_scroll()
    for control in ann.page.locator("button:visible, input:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44, control


def test_in_chinese(url: str, room: str, person: MakePerson) -> None:
    wang, ann = person("王子涵", locale="zh-CN"), person("Ann")
    wang.open(url)
    expect(wang.page.get_by_role("heading", name="进入房间")).to_be_visible()
    wang.join(url, "数学")
    wang.say("大家好")
    expect(wang.page.locator("#messages .day").first).to_have_text("今天")
    expect(wang.page.locator("#messages .state:visible")).to_have_text(["已发送"])
    expect(wang.page.locator("#room-name")).to_have_text("数学")
    ann.join(url, "数学")
    ann.expect_messages(["大家好"])
    expect(wang.notes).to_have_text(["Ann 进来了"])
    wang.page.get_by_role("button", name="English").click()
    wang.expect_in_room()
    expect(wang.page.locator("html")).to_have_attribute("lang", "en")
    wang.expect_messages(["大家好"])
    expect(wang.field).to_have_attribute("placeholder", "Write to the room")
    expect(ann.notes).to_have_count(0)


def test_with_the_keyboard_alone(url: str, room: str, person: MakePerson) -> None:
    ann, bo = person("Ann"), person("Bo", viewport={"width": 800, "height": 600})
    ann.open(url)
    keyboard = ann.page.keyboard
    keyboard.type("Ann")
    keyboard.press("Tab")
    keyboard.type(room)  # what a field holds is selected when Tab comes to it
    keyboard.press("Enter")
    ann.expect_in_room()
    expect(ann.field).to_be_focused()
    keyboard.type("one")
    keyboard.press("Shift+Enter")
    keyboard.type("two")
    keyboard.press("Enter")
    ann.expect_messages(["one\ntwo"])
    expect(ann.field).to_be_focused()
    keyboard.press("Shift+Tab")
    expect(ann.page.locator("#log")).to_be_focused()
    outline = ann.page.locator("#log").evaluate("node => getComputedStyle(node).outlineWidth")
    assert outline == "3px"

    bo.join(url, room)
    bo.page.get_by_role("tab", name="Chat").focus()
    bo.page.keyboard.press("ArrowRight")
    expect(bo.page.get_by_role("tab", name="Members 2")).to_be_focused()
    expect(bo.people).to_have_text(["Bo", "Ann"])
    bo.page.keyboard.press("ArrowRight")
    expect(bo.messages.first).to_be_visible()
    bo.page.locator("#leave").focus()
    bo.page.keyboard.press("Enter")
    expect(bo.page.locator("#join-button")).to_be_focused()


def test_a_screen_reader_hears_the_chat(url: str, room: str, person: MakePerson) -> None:
    ann = person("Ann")
    ann.join(url, room)
    expect(ann.page.get_by_role("log", name="Chat")).to_be_visible()
    expect(ann.page.get_by_role("textbox", name="Write to the room")).to_be_visible()
    expect(ann.page.get_by_role("button", name="Send")).to_be_visible()
    unnamed = ann.page.evaluate(
        """[...document.querySelectorAll("button, input:not([type=hidden]), textarea")].filter((node) =>
             !node.textContent.trim() && !node.ariaLabel && !node.labels?.length).map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    ann.page.evaluate(
        """window.heard = [];
           new MutationObserver((changes) => changes.forEach(({addedNodes}) => addedNodes.forEach((node) => {
             if (node.matches?.(".msg")) window.heard.push(node.querySelector(".bub").textContent);
           }))).observe(document.querySelector("#messages"), {childList: true})"""
    )
    ann.say("once")
    expect(ann.page.locator("#messages .state:visible")).to_have_text(["Sent"])
    assert ann.page.evaluate("window.heard") == ["once"]


def test_the_chosen_theme_stays(url: str, person: MakePerson) -> None:
    ann = person("Ann", color_scheme="light")
    ann.open(url)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = ann.page.evaluate(ground)
    ann.page.get_by_role("button", name="Light or dark").click()
    dark = ann.page.evaluate(ground)
    assert dark != light
    ann.page.reload()
    assert ann.page.evaluate(ground) == dark


def test_the_page_works_from_collected_files(tmp_path: Path, room: str, person: MakePerson) -> None:
    with ServerProcess(tmp_path, debug=False) as server:
        ann = person("Ann")
        ann.join(server.url, room)
        ann.say("hello")
        ann.expect_messages(["hello"])
        assert len(ann.page.workers) == 1  # the timers that run on in a tab out of sight
        assert re.search(r"plain\.[0-9a-f]{12}\.js", ann.page.content())


def test_without_the_demo_project_the_page_says_how_to_make_it(tmp_path: Path, person: MakePerson) -> None:
    with ServerProcess(tmp_path, with_demo=False) as server:
        ann = person("Ann")
        ann.page.goto(server.url)
        expect(ann.page.locator(".command")).to_be_visible()
        expect(ann.page.locator(".command")).to_contain_text("manage.py demo")
