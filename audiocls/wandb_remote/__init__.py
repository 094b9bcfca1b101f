"""Between studies and a W&B server: agents that execute its orders, uploads, imports."""
