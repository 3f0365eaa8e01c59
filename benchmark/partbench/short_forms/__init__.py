"""Short forms of the four kinds of plugin: a function or a few methods instead of a class with the whole contract.

What they cannot say is said by the base classes in `partbench.plugin`. docs/short_forms.md shows each.
"""
