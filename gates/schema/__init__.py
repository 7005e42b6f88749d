"""How a document is declared, read, checked and written: fields, JSON Schema, YAML and canonical JSON."""
