from django.urls import path

from classroom import views

urlpatterns = [path("", views.plain_page, name="plain_page")]
