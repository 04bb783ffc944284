"""Every address of the service. The WebSocket's, /rtm/ws, is in config/asgi.py."""

from django.contrib import admin
from django.urls import include, path

from config.api import v1, vendor

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", v1.urls),
    path("dev/v2/project/", vendor.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("rtm/", include("realtime.urls")),
    path("rtm/", include("activity.urls")),
    path("", include("classroom.urls")),
]
