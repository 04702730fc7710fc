"""One file a reason to join accounts."""
