"""An example of a plugin: parts by entry points, a recipe and an ablation that use them."""
