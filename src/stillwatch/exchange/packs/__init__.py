"""Detector packs: detection methods that one member publishes and others try on their own traffic, in shadow, before they believe them."""
