"""What a study and a W&B server tell each other: orders, uploads, imports."""
