"""The TAXII 2.1 server: what members share, over HTTPS, to those who may read it."""
