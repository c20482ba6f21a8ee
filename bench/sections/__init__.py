"""The sections of the bench; each measures one thing and names what it must reach.

They are imported into the processes that measure, so they import no more than they measure.
"""
