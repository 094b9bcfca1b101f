"""Commands about one model: its layers before training, its use and its export after."""
