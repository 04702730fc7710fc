"""Calls of a group to columns; a group is an account, an organisation or a cluster, the definition is the same."""
