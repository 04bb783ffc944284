"""What Rostrum is compared with."""
