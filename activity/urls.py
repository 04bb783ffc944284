from django.urls import path

from activity import views

app_name = "activity"

urlpatterns = [path("logs", views.client_logs, name="client_logs")]
