from django.urls import path

from realtime import views

app_name = "realtime"

urlpatterns = [path("openrpc.json", views.openrpc, name="openrpc")]
