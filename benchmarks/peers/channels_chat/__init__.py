"""The chat that Channels' tutorial builds, as at the end of its part 3, without its two pages."""
