from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classroom.texts import page_texts
from messaging.media.storage import media_origin
from projects.demo import DEMO_APP_ID, DEMO_ROOM
from projects.selectors import get_tenant

THEMES = ("light", "dark")


@require_safe
def plain_page(request: HttpRequest) -> HttpResponse:
    """A name, a room, and a chat. `?room=math&name=Ann` fills the form in."""
    theme = request.COOKIES.get("theme", "")
    response = render(
        request,
        "classroom/plain.html",
        {
            "has_project": get_tenant(DEMO_APP_ID) is not None,
            "theme": theme if theme in THEMES else "",
            "name": request.GET.get("name", ""),
            "room": request.GET.get("room", DEMO_ROOM),
            "config": {
                "app": DEMO_APP_ID,
                "socket": "/rtm/ws",
                "texts": page_texts(),
            },
        },
    )
    response["Content-Security-Policy"] = content_security_policy(request)
    return response


def content_security_policy(request: HttpRequest) -> str:
    """Only what this server serves; no inline script or style, no frame around it."""
    socket = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"  # Safari: not in 'self'
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' {media_origin()}".rstrip(),
            "worker-src blob:",  # the SDK's timers, made of its own text
            f"connect-src 'self' {socket}",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
