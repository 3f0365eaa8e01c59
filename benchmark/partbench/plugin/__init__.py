"""The base classes of the four kinds of plugin.

Each optional capability is a method or an attribute of a base class, with a default for plugins that lack it.
"""
