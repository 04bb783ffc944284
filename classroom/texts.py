"""The words that the page's scripts show, in the language of the request."""

from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Text = str | dict[str, str]
"""A text, or its forms for one and for many; `{name}` is filled in by the script."""


def _forms(of_number: Callable[[int], str]) -> dict[str, str]:
    return {"one": of_number(1), "other": of_number(2)}


def page_texts() -> dict[str, Text]:
    return {
        # the form
        "join": _("Join"),
        "joining": _("Joining"),
        "no_name": _("Enter your name."),
        "long_name": _("This name is too long. Use a shorter one."),
        "no_room": _("Enter a room."),
        "long_room": _("This room name is too long. Use a shorter one."),
        "unreachable": _("The server does not answer. Check the network, then try again."),
        "not_allowed": _("This room does not let you in."),
        "no_project": _("The demo project is missing. Run manage.py demo on the server, then try again."),
        "too_often": _("Too many attempts in a row. Wait a few seconds, then try again."),
        # the connection
        "connecting": _("Connecting"),
        "good_connection": _("Good connection"),
        "slow_connection": _("Slow connection"),
        "reconnecting": _("Reconnecting"),
        "not_connected": _("Not connected"),
        "keep_writing": _("Keep writing. It is sent when you are back."),
        "try_now": _("Try now"),
        "back": _("You are back."),
        "messages_sent": _forms(lambda n: ngettext("{count} message sent.", "{count} messages sent.", n)),
        "elsewhere": _("You opened this room in another window"),
        "elsewhere_text": _("This one has stopped. What you wrote is kept."),
        "use_here": _("Use it here"),
        "removed": _("The server ended your stay in this room"),
        "removed_text": _("What you wrote is kept."),
        "join_again": _("Join again"),
        # messages
        "you": _("You"),
        "you_are": _("You are {name}"),
        "you_mark": _("(you)"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "new": _("New"),
        "newest": _("Go to the newest"),
        "unread": _forms(lambda n: ngettext("{count} new message", "{count} new messages", n)),
        "data": _forms(lambda n: ngettext("Data, {count} byte", "Data, {count} bytes", n)),
        "download_file": _("Download {name}"),
        "open_image": _("Open the image {name}"),
        "file_gone": _("The file is no longer here."),
        "file_unreachable": _("The file cannot be reached. Try again."),
        "sending": _("Sending"),
        "sent": _("Sent"),
        "waits": _("Waits for the connection"),
        "failed": _("Not sent"),
        "retry": _("Try again"),
        "delete": _("Delete"),
        # people
        "here": _forms(lambda n: ngettext("{count} person here", "{count} people here", n)),
        "more_here": _forms(lambda n: ngettext("and {count} more", "and {count} more", n)),
        "others": _forms(lambda n: ngettext("{count} other", "{count} others", n)),
        "joined": _forms(lambda n: ngettext("{names} joined", "{names} joined", n)),
        "left": _forms(lambda n: ngettext("{names} left", "{names} left", n)),
        "returned": _forms(lambda n: ngettext("{names} left and came back", "{names} left and came back", n)),
        "visited": _forms(lambda n: ngettext("{names} joined and left", "{names} joined and left", n)),
        "copy_link": _("Copy the link to this room"),
        "copied": _("Link copied"),
    }
