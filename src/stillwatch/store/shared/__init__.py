"""What members share: STIX objects in collections, by the moment they were added."""
