"""What runs around the service: first set-up, system packages, private servers, a cluster."""
