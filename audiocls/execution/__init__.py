"""Running studies: from a plan to its trials, on executors, until every cell is done."""
