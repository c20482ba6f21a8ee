"""Plans, and the runner processes in which other people's scripts run."""
