"""What run.json must hold."""
SCHEMA_VERSION = 1
