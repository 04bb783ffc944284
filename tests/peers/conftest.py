from tests.rooms.conftest import enter, lifetime, two_places

__all__ = ["enter", "lifetime", "two_places"]
