"""From a manifest in git to resources, permissions, a table, its migrations and a sink plan."""
