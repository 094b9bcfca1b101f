"""Studies: from a request to trials that are trained, and to the end of the study."""
