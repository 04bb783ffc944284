"""Every address of the service. The WebSocket's, /rtm/ws, is in config/asgi.py."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("rtm/", include("realtime.urls")),
    path("", include("classroom.urls")),
]
