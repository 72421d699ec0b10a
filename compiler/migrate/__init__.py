"""Migrations: the manifest's table as reviewed SQL files, and those files as a live table.

Planning is pure (planner, steps, render, files); the chain's files are judged without a driver (chain); applying
(session, journal, catalog, drift, apply) never decides.
"""
