"""Short words for what activity's tests do again and again."""

from typing import Any

from asgiref.sync import sync_to_async

from activity.models import Webhook, WebhookDelivery
from activity.pump import Pump
from activity.recorder import Recorder
from activity.sender import Sender
from projects.credentials import create_credential
from projects.models import Project
from realtime.runtime import Runtime


@sync_to_async
def make_webhook(app: str, url: str = "https://hooks.example/", **fields: Any) -> Webhook:
    return Webhook.objects.create(project=Project.objects.get(app_id=app), url=url, **fields)


@sync_to_async
def make_heard(app: str) -> None:
    """Gives the project a REST credential, with which its server may ask for events."""
    create_credential(project=Project.objects.get(app_id=app))


@sync_to_async
def deliveries(webhook: Webhook) -> list[WebhookDelivery]:
    """All of a webhook, in the order they were queued."""
    return list(WebhookDelivery.objects.filter(webhook=webhook).order_by("pk"))


async def states(webhook: Webhook) -> list[str]:
    return [delivery.state for delivery in await deliveries(webhook)]


async def record(*runtimes: Runtime) -> None:
    """Everything that has happened is written down."""
    for runtime in runtimes:
        await runtime.part(Recorder).flush()


async def pump(runtime: Runtime) -> None:
    """The log has come to the queues of the webhooks."""
    await runtime.part(Pump).pump()


async def deliver(runtime: Runtime) -> None:
    """What is due has been tried."""
    sender = runtime.part(Sender)
    await sender.look()
    await sender.idle()
