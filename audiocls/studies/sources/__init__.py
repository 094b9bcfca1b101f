"""Trial sources: which trial comes next."""
