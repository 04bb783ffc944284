from django.urls import path

from realtime import views

app_name = "realtime"

urlpatterns = [
    path("endpoints", views.endpoints, name="endpoints"),
    path("openrpc.json", views.openrpc, name="openrpc"),
]
