"""Stillwatch finds adversarial distillation of language models in API logs."""

__version__ = "0.1.0"
