"""Results as facts, tables and text, one module per kind of result."""
