"""Packs: behaviors, tools and prompts that are distributed together."""

__path__ = __import__("pkgutil").extend_path(__path__, __name__)
