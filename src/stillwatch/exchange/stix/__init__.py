"""Records of the exchange <-> STIX 2.1: written, checked and read, with a report of what could not be carried."""
