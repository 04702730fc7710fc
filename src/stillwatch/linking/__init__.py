"""Accounts to clusters: ties give bipartite edges between accounts and keys; a community step joins the keys."""
