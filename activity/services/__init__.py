from activity.services.vendor import TakenEvent, take_channel_events, take_user_events

__all__ = ["TakenEvent", "take_channel_events", "take_user_events"]
